#!/bin/sh
# Makes this host a real server for direct routing: it owns the VIPs below and answers no ARP
# or ND request for them (guide sections 7.1 and 15.2).
# Run it as root, as often as you like; with --check it only says what is in force.
# A UDP service must be bound to the VIP itself: bound to every address, it may answer from
# another one.
set -eu

action='apply'
vips4='10.10.10.150 10.10.10.151'
vips6='fd00::150'
interface=''  # of the LAN; '' = of the default route
persist='systemd'

