"""The Pod Security Standards' level "restricted" (Kubernetes documentation, "Pod Security Standards", v1.31),
as far as a pod on Linux is concerned: every control of "baseline" and of "restricted" is one line here."""

SYSCTLS = {"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
           "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
           "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
           "net.ipv4.tcp_keepalive_probes"}
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected",
           "secret"}
SELINUX = {None, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}


def _of_pod(spec, say):
    context = spec.get("securityContext", {})
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            say(field)
    for volume in spec.get("volumes", []):
        for kind in sorted(set(volume) - {"name"} - VOLUMES):
            say(f"volume {kind}")
    for sysctl in context.get("sysctls", []):
        if sysctl["name"] not in SYSCTLS:
            say(f"sysctl {sysctl['name']}")
    if context.get("windowsOptions", {}).get("hostProcess"):
        say("hostProcess")


def _of_container(spec, container, say):
    pod = spec.get("securityContext", {})
    own = container.get("securityContext", {})
    both = {**pod, **own}
    if own.get("privileged"):
        say("privileged")
    if own.get("allowPrivilegeEscalation") is not False:
        say("allowPrivilegeEscalation")
    if not both.get("runAsNonRoot"):
        say("runAsNonRoot")
    if both.get("runAsUser") == 0:
        say("runAsUser 0")
    if both.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        say("seccompProfile")
    if both.get("appArmorProfile", {}).get("type") not in (None, "RuntimeDefault", "Localhost"):
        say("appArmorProfile")
    if both.get("seLinuxOptions", {}).get("type") not in SELINUX:
        say("seLinuxOptions")
    if own.get("procMount", "Default") != "Default":
        say("procMount")
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []):
        say("capabilities are not dropped")
    for added in capabilities.get("add", []):
        if added != "NET_BIND_SERVICE":
            say(f"capability {added}")
    for port in container.get("ports", []):
        if port.get("hostPort"):
            say(f"hostPort {port['hostPort']}")
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(probe, {}).get("httpGet", {}).get("host"):
            say(f"{probe} host")


def violations(spec):
    """What of a pod's spec "restricted" would refuse, sorted; [] when it passes."""
    found = set()
    _of_pod(spec, found.add)
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(kind, []):
            _of_container(spec, container, found.add)
    return sorted(found)
