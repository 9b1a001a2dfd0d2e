# shellcheck shell=bash disable=SC2034 # the scripts use the variable
# Roots of Debian releases: how tests/arches, tests/glibcs and tests/releases create them and run commands in them. These
# scripts define `die`, go to the folder of the checkout and source this file.

# Where the toolchain of this machine is in roots whose own is too old: packaging/cargo knows the paths of toolchains there.
toolchain=/root/.rustup/toolchains/machine

# Creates the root FOLDER of a RELEASE with mmdebstrap: make_root RELEASE FOLDER [MMDEBSTRAP-ARGUMENT]...
#
# The mirror may lag behind: a release file of unstable is valid for a week only. Nobody needs the root after a crash of
# this machine, so dpkg does not wait until files are on disk.
make_root() {
    local release=$1 path=$2 mirror settings status=0
    shift 2
    mirror=$(mirror)
    rm -rf "$path"
    mkdir -p "${path%/*}"
    settings=$(mktemp)
    host_apt_settings >"$settings"
    # Without a mirror, mmdebstrap uses Debian's.
    mmdebstrap --quiet --mode=root --aptopt="$settings" --aptopt='Acquire::Check-Valid-Until "false"' \
        --dpkgopt=force-unsafe-io "$@" "$release" "$path" ${mirror:+"$mirror"} || status=$?
    rm -f "$settings"
    return "$status"
}

# The mirror of this machine, if it is Debian's.
mirror() {
    if [ -n "${DEBIAN_MIRROR:-}" ]; then
        echo "$DEBIAN_MIRROR"
        return
    fi
    # shellcheck disable=SC2016 # for apt-get
    apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 == "Debian" && $2 == "Debian" && !found { print $3; found = 1 }'
}

# How this machine reaches a mirror applies to the root as well. The rest of its settings does not.
host_apt_settings() {
    apt-config dump | grep -E '^Acquire::(http|https|ftp|Retries|Check-|ForceIPv)' || true
}

# Installs packages on this machine. An update that fails may be that of a repository that has none of them.
need() {
    apt-get update -q || true
    apt-get install -y -q --no-install-recommends "$@"
}

# How this machine's cargo reaches crates.io applies to that of a root, which uses FOLDER as CARGO_HOME.
copy_cargo_settings() {
    local settings=${CARGO_HOME:-${HOME:-}/.cargo}/config.toml
    [ ! -e "$settings" ] || cp "$settings" "$1/config.toml"
}

# Runs a command in a root, as its only processes: enter_root ROOT [SOURCE:TARGET[:OPTIONS]]... -- COMMAND
#
# This checkout is at /checkout, and folders of this machine are mounted as the arguments before `--` say. The network is
# this machine's, and so are the ways to the mirror and to the registries. The root needs umount, from the package mount.
# shellcheck disable=SC2016 # for the inner shell
enter_root() {
    local path=$1 certificates=/etc/ssl/certs/ca-certificates.crt variable settings=()
    shift
    mkdir -p "$path/etc/ssl/certs"
    cp /etc/resolv.conf "$path/etc/resolv.conf"
    if [ -e "$certificates" ]; then
        cp "$certificates" "$path$certificates"
        # They would only use certificates of their own.
        settings+=("PIP_CERT=$certificates" "NODE_EXTRA_CA_CERTS=$certificates")
    fi
    for variable in http_proxy https_proxy HTTPS_PROXY no_proxy; do
        [ -z "${!variable:-}" ] || settings+=("$variable=${!variable}")
    done
    unshare --mount --pid --fork --kill-child env -i "${settings[@]}" PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive CARGO_INCREMENTAL=0 sh -euc '
            root=$1 checkout=$2
            shift 2
            mount --make-rprivate /
            mount --bind "$root" "$root"
            mkdir -p "$root/checkout" "$root/.old" "$root/dev" "$root/sys" "$root/proc" "$root/tmp" "$root/run"
            mount --bind "$checkout" "$root/checkout"
            while [ "$1" != -- ]; do
                source=${1%%:*} target=${1#*:}
                options=${target#"${target%%:*}"}
                target=$root${target%%:*}
                mkdir -p "$target"
                mount --options "bind${options:+,${options#:}}" "$source" "$target"
                shift
            done
            shift
            mount --rbind /dev "$root/dev"
            mount --rbind /sys "$root/sys"
            mount -t proc proc "$root/proc"
            mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
            mount -t tmpfs tmpfs "$root/run"
            cd "$root"
            pivot_root . .old
            umount -l /.old
            cd /checkout
            exec "$@"' sh "$path" "$PWD" "$@"
}
