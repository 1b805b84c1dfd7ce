"""Where tests/kube/setup leaves what it built: outside the checkout, a folder for each version.

    CACHE/crd-server-0.36.4-1/bin/crd-server      CACHE/etcd-3.4.23-4/bin/etcd
    CACHE/crd-server -> crd-server-0.36.4-1       ... the version in use
"""

import os

CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
                     "fairlead-kube")
# Tool -> its programs.
TOOLS = {"crd-server": ("crd-server",), "kube-apiserver": ("kube-apiserver",),
         "etcd": ("etcd",), "kubectl": ("kubectl", "helm")}


def program(name):
    """The path of a built program, or None."""
    for tool, programs in TOOLS.items():
        path = os.path.join(CACHE, tool, "bin", name)
        if name in programs and os.access(path, os.X_OK):
            return path
    return None


def is_built(tool):
    return all(program(name) for name in TOOLS[tool])


def version(tool):
    """The version in use: "0.36.4-1"."""
    return os.path.basename(os.path.realpath(os.path.join(CACHE, tool)))[len(tool) + 1:]
