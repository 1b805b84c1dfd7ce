# The names and files that belong to this script; it touches no other file.
readonly marker='written by fairlead prepare-realserver'
readonly state=/var/lib/fairlead-realserver
readonly sysctl_file=/etc/sysctl.d/90-fairlead-realserver.conf
readonly unit=fairlead-realserver.service
readonly unit_file=/etc/systemd/system/$unit
readonly netplan_file=/etc/netplan/90-fairlead-realserver.yaml
readonly ifupdown_file=/etc/network/if-up.d/fairlead-realserver

fail() {
  echo "fairlead-realserver: $*" >&2
  exit 1
}

say() {
  kind=$1
  shift
  printf '%-8s %s\n' "$kind" "$*"
}

# Whether the file has a line whose first word is $2.
recorded() { awk -v word="$2" '$1 == word { found = 1 } END { exit !found }' "$1"; }

# ---- What is wanted ---------------------------------------------------------------------------

# One setting a line: its path below /proc/sys, and the values that will do, the one to set first.
# Guide section 7.1: the real servers should not respond to ARP requests for the VIP.
wanted_sysctls() {
  [ "$action" = apply ] || return 0
  if [ -n "$vips4" ]; then
    for where in all $interface; do
      # Answer ARP only for addresses of the interface that the request came in on: the VIP is on
      # lo, so nobody gets an answer. (2 is stricter still. The kernel takes the larger value of
      # "all" and the interface: Documentation/networking/ip-sysctl.rst.)
      echo "net/ipv4/conf/$where/arp_ignore 1 2"
      # Never name the VIP as sender of our own ARP requests: neighbours would learn it from them.
      echo "net/ipv4/conf/$where/arp_announce 2"
    done
  fi
  # No duplicate address detection on lo: every real server has the same VIP. (-1 is "never".)
  # IPv6 needs no more: a neighbour solicitation is answered for the addresses of the interface
  # that it came in on, and the VIP is on lo.
  [ -z "$vips6" ] || echo 'net/ipv6/conf/lo/accept_dad 0 -1'
}

wanted_addresses() {
  [ "$action" = apply ] || return 0
  for address in $vips4; do echo "$address/32"; done
  for address in $vips6; do echo "$address/128"; done
}

is_wanted_address() { wanted_addresses | grep -qxF "$1"; }

# An IPv6 VIP is "deprecated" (preferred_lft 0): it serves, but is never chosen as the source of the
# server's own connections.
address_options() {
  case $1 in *:*) echo 'nodad preferred_lft 0' ;; esac
}

# ---- Settings of the kernel -------------------------------------------------------------------

write_sysctl() {
  { echo "$2" >"/proc/sys/$1"; } 2>/dev/null ||
    fail "cannot set /proc/sys/$1 to $2; in a container this needs a writable /proc/sys"
}

# What was there before is recorded once, so that a second run does not take our value for it.
apply_sysctls() {
  wanted_sysctls | while read -r path set_to others; do
    [ -e "/proc/sys/$path" ] || fail "this kernel has no /proc/sys/$path"
    now=$(cat "/proc/sys/$path")
    case " $set_to $others " in *" $now "*) continue ;; esac
    recorded "$state/sysctls" "$path" || echo "$path $now $set_to" >>"$state/sysctls"
    write_sysctl "$path" "$set_to"
    say set "$path = $set_to (was $now)"
  done
}

# Puts back what we changed and no longer want.
restore_sysctls() {
  wanted_sysctls >"$state/wanted"
  : >"$state/sysctls.new"
  while read -r path before ours; do
    if recorded "$state/wanted" "$path"; then
      echo "$path $before $ours" >>"$state/sysctls.new"
    elif [ -e "/proc/sys/$path" ]; then
      now=$(cat "/proc/sys/$path")
      if [ "$now" = "$ours" ]; then
        write_sysctl "$path" "$before"
        say restored "$path = $before"
      else
        say left "$path = $now: somebody changed it since, so it is not ours"
      fi
    fi
  done <"$state/sysctls"
  rm -f "$state/wanted"
  mv "$state/sysctls.new" "$state/sysctls"
}

# ---- Addresses on lo --------------------------------------------------------------------------

on_lo() { ip -o address show dev lo | grep -qF " $1 "; }

# Guide section 15.2: one address of each VIP on the loopback, with a mask for itself alone.
# An address that was on lo before is not ours: it is not recorded, and stays on --revert.
add_addresses() {
  wanted_addresses | while read -r address; do
    if on_lo "$address"; then continue; fi
    recorded "$state/addresses" "$address" || echo "$address" >>"$state/addresses"
    # shellcheck disable=SC2046  # the options are words
    ip address add "$address" dev lo $(address_options "$address") ||
      fail "cannot put $address on lo$(case $address in *:*)
        echo '; is IPv6 switched off (sysctl net.ipv6.conf.lo.disable_ipv6)?' ;; esac)"
    say set "$address on lo"
  done
}

remove_addresses() {
  : >"$state/addresses.new"
  while read -r address; do
    if is_wanted_address "$address"; then
      echo "$address" >>"$state/addresses.new"
    elif on_lo "$address"; then
      ip address delete "$address" dev lo
      say removed "$address from lo"
    fi
  done <"$state/addresses"
  mv "$state/addresses.new" "$state/addresses"
}

# ---- After a reboot ---------------------------------------------------------------------------

# Before anything is changed: a file that is not ours is never overwritten.
refuse_foreign_files() {
  for file in "$(persistence_file)" "$sysctl_file"; do
    if [ -e "$file" ] && ! grep -qF "$marker" "$file"; then
      fail "$file exists and was not $marker: move it away first"
    fi
  done
}

# Writes stdin to the file $1 with the mode $2.
write_ours() {
  [ -d "${1%/*}" ] || mkdir -p "${1%/*}"
  rm -f "$1.new"
  (umask 077 && cat >"$1.new")
  if cmp -s "$1.new" "$1"; then
    rm -f "$1.new"
  else
    chmod "$2" "$1.new"
    mv "$1.new" "$1"
    say wrote "$1"
  fi
}

remove_ours() {
  if [ -e "$1" ] && grep -qF "$marker" "$1"; then
    rm -f "$1"
    say removed "$1"
  fi
}

systemd_runs() { [ -d /run/systemd/system ]; }

persist_sysctls() {
  if [ -z "$(wanted_sysctls)" ]; then return; fi
  {
    echo "# $marker; the script says what each line is for."
    # A leading - : an interface that is not there yet is no error; udev applies the line later.
    wanted_sysctls | while read -r path set_to others; do echo "-$path = $set_to"; done
  } | write_ours "$sysctl_file" 644
}

address_commands() {
  wanted_addresses | while read -r address; do
    echo "$1 address replace $address dev lo $(address_options "$address")" | sed 's/ *$//'
  done
}

# Before the network is up: the VIP is there when the first service binds to it. sysctl.d comes
# before that (systemd-sysctl.service), so no ARP request is answered in between.
persist_systemd() {
  {
    echo "# $marker"
    cat <<UNIT
[Unit]
Description=VIPs on the loopback interface for direct routing
After=systemd-sysctl.service
Wants=network-pre.target
Before=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
UNIT
    address_commands "ExecStart=$(command -v ip)"
    printf '\n[Install]\nWantedBy=multi-user.target\n'
  } | write_ours "$unit_file" 644
  if systemd_runs; then systemctl daemon-reload; fi
  systemctl is-enabled --quiet "$unit" 2>/dev/null || systemctl enable --quiet "$unit"
  if systemd_runs; then systemctl start "$unit"; fi
}

forget_systemd() {
  if [ -e "$unit_file" ] && grep -qF "$marker" "$unit_file"; then
    systemctl disable --quiet "$unit"
    if systemd_runs; then systemctl stop "$unit"; fi
    remove_ours "$unit_file"
    if systemd_runs; then systemctl daemon-reload; fi
  fi
}

# Netplan adds the addresses to those that other files give lo. "lifetime: 0" is preferred_lft 0.
persist_netplan() {
  {
    printf '# %s\nnetwork:\n  version: 2\n  ethernets:\n    lo:\n' "$marker"
    printf '      match:\n        name: lo\n      addresses:\n'
    wanted_addresses | while read -r address; do
      case $address in
        *:*) printf '        - "%s":\n            lifetime: 0\n' "$address" ;;
        *) printf '        - "%s"\n' "$address" ;;
      esac
    done
  } | write_ours "$netplan_file" 600
}

# ifup runs this for every interface.
persist_ifupdown() {
  {
    # shellcheck disable=SC2016  # for the shell of ifup
    printf '#!/bin/sh\n# %s\n[ "$IFACE" = lo ] || exit 0\nset -e\n' "$marker"
    address_commands "$(command -v ip)"
  } | write_ours "$ifupdown_file" 755
}

# Only the chosen way stays.
persist() {
  case $1 in systemd) ;; *) forget_systemd ;; esac
  case $1 in netplan) ;; *) remove_ours "$netplan_file" ;; esac
  case $1 in ifupdown) ;; *) remove_ours "$ifupdown_file" ;; esac
  case $1 in
    systemd) persist_systemd ;;
    netplan) persist_netplan ;;
    ifupdown) persist_ifupdown ;;
    none) remove_ours "$sysctl_file" ;;
  esac
}

persistence_file() {
  case $persist in
    systemd) echo "$unit_file" ;;
    netplan) echo "$netplan_file" ;;
    ifupdown) echo "$ifupdown_file" ;;
  esac
}

# ---- What is in force -------------------------------------------------------------------------

ok() { say ok "$*"; }

problem() {
  say PROBLEM "$*"
  problems=$((problems + 1))
}

# The larger one of "all" and of the interface is in force.
in_force() {
  value=$(cat "/proc/sys/net/ipv4/conf/$1/$2")
  all=$(cat "/proc/sys/net/ipv4/conf/all/$2")
  if [ "$all" -gt "$value" ]; then echo "$all"; else echo "$value"; fi
}

check_address() {
  if on_lo "$1"; then ok "$1 is on lo"; else problem "$1 is not on lo"; fi
  other=$(ip -o address show to "${1%/*}" | awk '$2 != "lo" { print $2; exit }')
  if [ -n "$other" ]; then
    problem "${1%/*} is on $other too, so this server answers for it there; remove it:" \
      "ip address delete ${1%/*} dev $other"
  fi
}

check_interface() {
  ignore=$(in_force "$1" arp_ignore)
  announce=$(in_force "$1" arp_announce)
  case $ignore in
    1 | 2) ok "$1 answers ARP for its own addresses only (arp_ignore $ignore)" ;;
    *) problem "$1 answers ARP for the VIP: arp_ignore is $ignore in force, must be 1" ;;
  esac
  if [ "$announce" = 2 ]; then
    ok "$1 never announces the VIP (arp_announce 2)"
  else
    problem "$1 may announce the VIP: arp_announce is $announce in force, must be 2"
  fi
  # Strict: a packet is dropped unless the reply would leave where it came in. RFC 3704 section 2.2.
  way_back=$(ip -4 route show default |
    awk '{ for (i = 1; i < NF; i++) if ($i == "dev") printf "%s ", $(i + 1) }')
  case " $way_back" in
    " " | *" $1 "*) ;;
    *)
      if [ "$1" = "$interface" ] && [ "$(in_force "$1" rp_filter)" = 1 ]; then
        say note "$1 has strict reverse path filtering and the default route is elsewhere: packets" \
          "of clients beyond a router are dropped; loosen it: sysctl -w net/ipv4/conf/$1/rp_filter=2"
      fi
      ;;
  esac
}

check_persistence() {
  for file in "$(persistence_file)" ${vips4:+"$sysctl_file"}; do
    if [ -e "$file" ]; then
      ok "after a reboot: $file"
    else
      problem "$file is missing: a reboot undoes this"
    fi
  done
  if [ "$persist" = systemd ]; then
    if systemctl is-enabled --quiet "$unit" 2>/dev/null; then
      ok "$unit is enabled"
    else
      problem "$unit is not enabled; run: systemctl enable $unit"
    fi
  fi
}

check() {
  problems=0
  for address in $(wanted_addresses); do check_address "$address"; done
  if [ -n "$vips4" ]; then
    for path in /proc/sys/net/ipv4/conf/*; do
      name=${path##*/}
      case $name in all | default | lo) ;; *) check_interface "$name" ;; esac
    done
  fi
  check_persistence
  [ "$problems" -eq 0 ] || fail "$problems of the points above need attention"
  echo 'This server owns the VIPs and answers no ARP or ND request for them.'
}

# ---- The run ----------------------------------------------------------------------------------

require_programs() {
  for program in ip awk cmp; do
    command -v "$program" >/dev/null || fail "the program $program is missing"
  done
  [ "$action" = apply ] || return 0
  case $persist in
    systemd) command -v systemctl >/dev/null ;;
    netplan) [ -d /etc/netplan ] ;;
    ifupdown) [ -d /etc/network/if-up.d ] ;;
  esac || fail "this host has no $persist; print the script with --persist" \
    "systemd, netplan or ifupdown, whichever it has"
}

find_interface() {
  if [ -z "$interface" ]; then
    interface=$(ip -4 route show default |
      awk '{ for (i = 1; i < NF; i++) if ($i == "dev") { print $(i + 1); exit } }')
  elif [ ! -e "/sys/class/net/$interface" ]; then
    fail "there is no interface $interface; this host has: $(cd /sys/class/net && echo *)"
  fi
}

apply() {
  refuse_foreign_files
  mkdir -p "$state"
  touch "$state/sysctls" "$state/addresses"
  # The kernel first, the address second: no ARP request is answered in between.
  apply_sysctls
  add_addresses
  # What an earlier run did for VIPs or an interface that are no longer in the list.
  remove_addresses
  restore_sysctls
  persist_sysctls
  persist "$persist"
  check
}

revert() {
  if [ ! -d "$state" ]; then
    echo "Nothing to undo: there is no $state, so this script was not run here."
    return
  fi
  remove_addresses
  restore_sysctls
  persist none
  rm -f "$state/sysctls" "$state/addresses"
  rmdir "$state"
  echo 'Undone: this server no longer owns the VIPs.'
}

case $action:${1-} in
  apply: | revert: | apply:--check) ;;
  revert:--check) fail 'this script only undoes; --check is of the one that was printed without --revert' ;;
  *) fail "unknown argument $1; give none, or --check to change nothing and say what is in force" ;;
esac
require_programs
if [ "${1-}" != --check ] && [ "$(id -u)" -ne 0 ]; then
  fail 'this must run as root: sudo sh SCRIPT'
fi
if [ "$action" = apply ]; then find_interface; fi
if [ "${1-}" = --check ]; then
  check
else
  "$action"
fi
