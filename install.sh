#!/bin/sh
# Builds the module and the program nss-mdns of this checkout, and has the program install or uninstall them; --help lists
# the options. In a release archive, libnss_mdns.so and nss-mdns are beside this script, and nothing is built.
#
# nss_mdns/command/src/install.rs of the sources says what is installed, and how.
set -u

usage() {
    cat <<'END'
Usage: sudo ./install.sh              build the module, install it, add it to the hosts line, check it
       sudo ./install.sh --uninstall  leave everything as it was before
       ./install.sh --check           run `nss-mdns check`, which changes nothing
       ./install.sh --try             show it at work in a private network; installs nothing

Options:
  --dry-run      print what would change, change nothing
  --module FILE  install this module, and nss-mdns from the same folder, instead of building them
  --libdir DIR   install into DIR/nss-mdns instead of the C library's folder, or uninstall only there
  --prefix DIR   link the program, the manual pages and the example into DIR/bin and DIR/share; default: /usr/local
  --destdir DIR  only put the files of a package below DIR, for the prefix /usr
  --no-check     do not check the installation at the end
  --help         print this

Only installing and uninstalling need root. A file in the place of a link is left alone, and so is /etc/nss-mdns.conf.
Exit status: 0 done; 1 not possible; 2 wrong usage; 3 installed, but the check found a problem. With 1, nothing was
changed or a first installation was undone. A later one, or --uninstall, may be half done: remove the cause and repeat it.
--check exits as `nss-mdns check`.
END
}

main() {
    umask 022
    PATH=${PATH:+$PATH:}/usr/sbin:/sbin
    # Lists of paths have one path a line.
    IFS='
'
    here=$(dirname -- "$(readlink -f -- "$0")")
    action=install_module dry_run='' no_check='' destdir='' prefix='' libdir='' module=''
    parse_options "$@"
    $action
}

parse_options() {
    while [ $# -gt 0 ]; do
        case $1 in
        --*=*) option=$1 && shift && set -- "${option%%=*}" "${option#*=}" "$@" ;;
        esac
        case $1 in
        --destdir | --prefix | --libdir | --module) [ -n "${2:-}" ] || fail "$1 needs a value; see --help" 2 ;;
        esac
        case $1 in
        --help | -h) usage && exit 0 ;;
        --try) action=try_it ;;
        --uninstall) action=uninstall_module ;;
        --check) action=check_system ;;
        --dry-run) dry_run=yes ;;
        --no-check) no_check=yes ;;
        --destdir) destdir=$2 && shift ;;
        --prefix) prefix=$2 && shift ;;
        --libdir) libdir=$2 && shift ;;
        --module) module=$(realpath -ms -- "$2") && shift ;;
        *) fail "unknown argument $1; see --help" 2 ;;
        esac
        shift
    done
    if [ -n "$destdir" ]; then
        [ "$action" = install_module ] || fail "--destdir is only for installing; see --help" 2
        action=stage_package prefix=${prefix:-/usr}
        case ${libdir:-/}:$prefix in
        /*:/*) ;;
        *) fail "with --destdir, --libdir and --prefix need absolute paths; see --help" 2 ;;
        esac
    fi
}

# fail SENTENCE [STATUS]
fail() {
    echo "install.sh: $1" >&2
    exit "${2:-1}"
}

# --- The five actions ---------------------------------------------------------------------------------

install_module() {
    [ -n "$dry_run" ] || [ "$(id -u)" = 0 ] || fail "this needs root: run it with sudo (--dry-run shows what it does)"
    [ -z "$libdir" ] || [ -d "$libdir" ] || fail "$libdir is not a folder"
    find_module
    if find_program; then
        exec "$program" install "--module=$module" "--files=$here" ${libdir:+"--libdir=$libdir"} \
            ${prefix:+"--prefix=$prefix"} ${dry_run:+--dry-run} ${no_check:+--no-check}
    fi
    # A second architecture needs none beside it.
    [ "$(elf_kind "$module")" != "$(elf_kind "$(command -v getent)")" ] || need_beside_module "${module%/*}/nss-mdns"
    [ -n "$dry_run" ] || fail "no nss-mdns that runs here is beside the module or installed"
    echo "would install the module, nss-mdns and the manual pages"
    echo "would add mdns_minimal to the hosts line of /etc/nsswitch.conf if it is not there"
    echo "(the program that shows every change is not built yet)"
}

uninstall_module() {
    if find_program; then
        exec "$program" uninstall ${libdir:+"--libdir=$libdir"} ${dry_run:+--dry-run}
    fi
    [ -z "$(installations)" ] || fail "no nss-mdns that runs here is beside this script or installed"
    echo "nothing to do: the module is not installed"
}

check_system() {
    find_program --version || fail "the program nss-mdns is not here: sudo ./install.sh builds and installs it"
    exec "$program" check
}

try_it() {
    [ -x "$here/tests/try" ] || fail "--try needs the source tree: this is a release archive"
    exec "$here/tests/try"
}

# A package has its files in the usual places, because it replaces the packages that have theirs there. It may be for
# another architecture, whose program nss-mdns does not run here.
stage_package() {
    find_module
    libdir=${libdir:-$(folder_of_libc)}
    [ -n "$libdir" ] || fail "no folder has a libc.so.6 of the module's architecture: name one with --libdir DIR"
    files=$(list_files)
    for source in $(echo "$files" | cut -d '|' -f 2); do need_beside_module "$source"; done
    echo "${dry_run:+would }put the files of a package below $destdir"
    [ -z "$dry_run" ] || exit 0
    echo "$files" | while IFS='|' read -r mode source place; do
        install -D -m "$mode" "$source" "$destdir$place" || exit 1
    done || exit 1
    # The names under which glibc looks for the module's other services.
    for service in mdns4 mdns6 mdns_minimal mdns4_minimal mdns6_minimal; do
        ln -sf libnss_mdns.so.2 "$destdir$libdir/libnss_$service.so.2" || exit 1
    done
}

# --- The module and the program -----------------------------------------------------------------------

# The module is the one that --module names, or is built here, or was shipped with this script, or was built before.
find_module() {
    builder=''
    if [ -n "$module" ]; then
        [ -f "$module" ] || fail "$module does not exist"
        grep -q _nss_mdns_minimal_gethostbyname4_r "$module" || fail "$module is not the module"
    elif [ -f "$here/Cargo.toml" ] && builder=$("$here/packaging/build" --check 2>&1); then
        echo "${dry_run:+would }build the module and nss-mdns$builder"
        module=$here/target/release/libnss_mdns.so
        [ -n "$dry_run" ] || module=$("$here/packaging/build" libnss_mdns.so -p nss_mdns -p nss-mdns-command) || exit 1
    elif module=$here/libnss_mdns.so && [ -f "$module" ]; then
        echo "use $module, shipped with this script"
    elif module=$here/target/release/libnss_mdns.so && [ -f "$module" ]; then
        echo "use $module, as built before; to build it again, this is missing: ${builder:-the source tree}"
    else
        fail "the module is not built, and cannot be built here; this is missing: ${builder:-the source tree}"
    fi
}

# Refuses if FILE is missing or is for another architecture than the module.
need_beside_module() {
    [ -f "$1" ] || [ -n "$dry_run" ] || fail "$1, which belongs beside the module, is not here"
    case $(elf_kind "$1") in
    '' | "$(elf_kind "$module")") ;;
    *) fail "$1 is built for another architecture than $module" ;;
    esac
}

# Class and machine of an ELF file, as hexadecimal digits; nothing for another file.
elf_kind() {
    od -An -v -tx1 -N20 "$1" 2>/dev/null | tr -d ' \n' | sed -n 's/^7f454c46\(....\).*\(....\)$/\1\2/p'
}

# find_program [ARGUMENT...]: finds a program nss-mdns that runs here with these arguments. The one beside the module may be
# for another architecture, and an older one may not know `uninstall`.
find_program() {
    [ $# -gt 0 ] || set -- uninstall --help
    for program in ${module:+"${module%/*}/nss-mdns"} "$here/nss-mdns" "$here/target/release/nss-mdns" \
        $(installations | sed 's,$,/nss-mdns,') nss-mdns; do
        if "$program" "$@" >/dev/null 2>&1; then return 0; fi
    done
    return 1
}

# The folders of installations, also of those that a kill has left.
installations() {
    for folder in ${libdir:+"$libdir"} /usr/lib* /usr/lib/*-linux-* /lib* /lib/*-linux-*; do
        ls -d "$folder/nss-mdns" "$folder/nss-mdns.new" 2>/dev/null
    done
}

# --- The files of a package ---------------------------------------------------------------------------

# MODE|SOURCE|PLACE of each.
list_files() {
    cat <<END
644|$module|$libdir/libnss_mdns.so.2
755|${module%/*}/nss-mdns|$prefix/bin/nss-mdns
644|$here/packaging/apparmor|$prefix/share/nss-mdns/apparmor
644|$here/docs/man/nss-mdns.1|$prefix/share/man/man1/nss-mdns.1
644|$here/docs/man/nss-mdns.conf.5|$prefix/share/man/man5/nss-mdns.conf.5
644|$here/docs/man/nss-mdns.8|$prefix/share/man/man8/nss-mdns.8
END
}

# The folder of the C library with which the loader loads the module.
folder_of_libc() {
    file=$module
    [ -f "$file" ] || file=$(command -v getent) # in a dry run that does not build the module
    file=$(ldd "$file" 2>/dev/null | sed -n 's/^[[:blank:]]*libc\.so\.6 => \(.*\) (0x.*/\1/p')
    [ -z "$file" ] || (cd -P "${file%/*}" && pwd)
}

main "$@"
