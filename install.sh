#!/bin/sh
# Installs the module and the program nss-mdns of this checkout (or release archive), or uninstalls them; --help lists
# the options. In a release archive, libnss_mdns.so and nss-mdns are beside this script.
#
# All files are in one folder, LIBDIR/nss-mdns, which appears in one rename. Outside it there are only symbolic links
# into it, and the service on the hosts line of /etc/nsswitch.conf, which the program nss-mdns edits. A link in
# /etc/ld.so.conf.d makes glibc prefer this module to another package's in LIBDIR, which this script never touches. The
# file `outside` in the folder lists the links before they are made, so a run that was killed can be repeated or undone.
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
  --libdir DIR   install into DIR/nss-mdns instead of the C library's folder (--uninstall then needs it too, if DIR has
                 no libc.so.6)
  --prefix DIR   link the program, the manual pages and the example into DIR/bin and DIR/share; default: /usr/local
  --destdir DIR  only put the files of a package below DIR, for the prefix /usr
  --no-check     do not check the installation at the end
  --help         print this

Only installing and uninstalling need root. A file in the place of a link is left alone, and so is /etc/nss-mdns.conf.
Exit status: 0 done; 1 not possible, nothing was changed; 2 wrong usage; 3 installed, but the check found a problem.
If --uninstall ends with 1, something may be left: remove the cause and repeat it. --check exits as `nss-mdns check`.
END
}

# Exists while the service is on the hosts line because of this script.
readonly note=/var/lib/nss-mdns.hosts-line

main() {
    umask 022
    PATH=$PATH:/usr/sbin:/sbin
    # Lists of paths have one path a line.
    IFS='
'
    here=$(dirname -- "$(readlink -f -- "$0")")
    action=install_module dry_run='' check=yes destdir='' prefix='' libdir='' module=''
    folder='' new='' changed='' undo=''
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
        --no-check) check='' ;;
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
    else
        # Each run must spell a folder in the same way.
        prefix=$(readlink -m -- "${prefix:-/usr/local}") libdir=${libdir:+$(readlink -m -- "$libdir")}
    fi
}

# fail SENTENCE [STATUS]
fail() {
    echo "install.sh: $1" >&2
    exit "${2:-1}"
}

# Announces a change, which `run` then makes.
say() {
    changed=yes
    echo "${dry_run:+would }$1"
}

# Runs a command that changes something, except in a dry run. A command that fails prints the reason itself.
run() {
    [ -n "$dry_run" ] || "$@" || exit 1
}

# --- The five actions ---------------------------------------------------------------------------------

install_module() {
    need_root
    find_module
    choose_libdir
    check_files
    check_folder
    check_hosts_line
    begin
    install_folder
    make_links
    # glibc finds the module only by this cache. ldconfig lists a file that has a SONAME under that name alone.
    [ "$(count_cached)" = 6 ] || run_ldconfig
    [ -n "$dry_run" ] || [ "$(count_cached)" = 6 ] || fail "the loader does not look into $folder (see /etc/ld.so.conf)"
    add_to_hosts_line
    undo=''
    [ -n "$changed" ] || echo "nothing to do: the module is installed and up to date"
    if [ -n "$dry_run" ] || [ -z "$check" ] || [ -z "$is_native" ]; then return 0; fi
    "$folder/nss-mdns" check || exit 3
}

uninstall_module() {
    need_root
    folders=${libdir:-$(installed)}
    for libdir in $folders; do
        name_folder
        for place in "$folder" $(our_links); do need_writable "$place"; done
    done
    begin
    remove_modules "$folders"
    [ -n "$changed" ] || echo "nothing to do: the module is not installed"
}

# A package has its files in the usual places, because it replaces the packages that have theirs there.
stage_package() {
    find_module
    choose_libdir
    check_files
    say "put the files of a package below $destdir"
    echo "$files" | while IFS='|' read -r _ mode source place; do
        run install -D -m "$mode" "$source" "$destdir$place"
    done || exit 1
    make_aliases "$destdir$libdir"
}

check_system() {
    find_program || fail "the program nss-mdns is not here: sudo ./install.sh builds and installs it"
    exec "$program" check
}

try_it() {
    [ -x "$here/tests/try" ] || fail "--try needs the source tree: this is a release archive"
    exec "$here/tests/try"
}

# --- What to install, and where -----------------------------------------------------------------------

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
        echo "use $module, as built before: cargo is not here to build it anew"
    else
        fail "the module is not built, and cannot be built here; this is missing: ${builder:-the source tree}"
    fi
}

# LIBDIR is the folder with the C library of the programs that can load the module.
choose_libdir() {
    native=$(elf_kind "$(command -v getent)")
    kind=$(elf_kind "$module")
    : "${kind:=$native}" # in a dry run that does not build the module
    is_native=$([ "$kind" != "$native" ] || echo yes)
    [ -n "$libdir" ] || for libdir in $(libc_folders) ''; do
        [ "$(elf_kind "$libdir/libc.so.6")" != "$kind" ] || break
    done
    [ -n "$libdir" ] || fail "no folder has a libc.so.6 of the module's architecture: name one with --libdir DIR"
    name_folder
}

# The folder, its name while it is written or removed, and the link in /etc that leads the loader to it.
name_folder() {
    folder=$libdir/nss-mdns new=$libdir/nss-mdns.new
    conf=/etc/ld.so.conf.d/00-nss-mdns$(echo "$libdir" | tr / -).conf
}

# The folders with a libc.so.6, the loader's own choice first.
libc_folders() {
    {
        ldconfig -p | sed -n '/hwcap/d; s/^[[:blank:]]*libc\.so\.6 .* => //p'
        ls -d /usr/lib*/libc.so.6 /lib*/libc.so.6 /usr/lib/*-linux-*/libc.so.6 /lib/*-linux-*/libc.so.6
    } 2>/dev/null | while IFS= read -r file; do (cd -P "${file%/*}" && pwd); done | awk '!seen[$0]++'
}

# Those in which a module is installed, or was left by a run that was killed.
installed() {
    for libdir in $(libc_folders); do
        if [ -f "$libdir/nss-mdns/outside" ] || [ -d "$libdir/nss-mdns.new" ]; then echo "$libdir"; fi
    done
}

# Class and machine of an ELF file, as hexadecimal digits; nothing for another file.
elf_kind() {
    od -An -v -tx1 -N20 "$1" 2>/dev/null | tr -d ' \n' | sed -n 's/^7f454c46\(....\).*\(....\)$/\1\2/p'
}

# NAME|MODE|SOURCE|PLACE of each file: its name in the folder, and the place of the link to it. A package has the file
# itself at PLACE. A second architecture needs only the module.
list_files() {
    share=$prefix/share abstractions=/etc/apparmor.d/abstractions
    if [ -n "$destdir" ]; then
        echo "libnss_mdns.so.2|644|$module|$libdir/libnss_mdns.so.2"
        echo "apparmor|644|$here/packaging/apparmor|$share/nss-mdns/apparmor"
    else
        echo "libnss_mdns.so.2|644|$module|"
        echo "ld.so.conf|||$conf" # install_folder writes it
        [ -n "$is_native" ] || return 0
        echo "nss-mdns.conf.example|644|$here/docs/nss-mdns.conf.example|$share/doc/nss-mdns/nss-mdns.conf.example"
        [ ! -d $abstractions ] || echo "apparmor|644|$here/packaging/apparmor|$abstractions/nameservice.d/nss-mdns"
    fi
    cat <<END
nss-mdns|755|${module%/*}/nss-mdns|$prefix/bin/nss-mdns
nss-mdns.1|644|$here/docs/man/nss-mdns.1|$share/man/man1/nss-mdns.1
nss-mdns.conf.5|644|$here/docs/man/nss-mdns.conf.5|$share/man/man5/nss-mdns.conf.5
nss-mdns.8|644|$here/docs/man/nss-mdns.8|$share/man/man8/nss-mdns.8
END
}

# --- Refusals, before anything is changed -------------------------------------------------------------

need_root() {
    [ -n "$dry_run" ] || [ "$(id -u)" = 0 ] || fail "this needs root: run it with sudo (--dry-run shows what it does)"
}

check_files() {
    files=$(list_files)
    places=$(echo "$files" | cut -d '|' -f 4-)
    for source in $(echo "$files" | cut -d '|' -f 3); do
        [ -f "$source" ] || [ -n "$dry_run" ] || fail "$source, which belongs beside the module, is not here"
        need_architecture "$source"
    done
}

check_folder() {
    [ -d "$libdir" ] || fail "$libdir is not a folder"
    [ ! -e "$folder" ] || [ -f "$folder/outside" ] || fail "$folder is here, and is not of this script"
    need_architecture "$libdir/libc.so.6"
    for place in "$folder" $places; do need_writable "$place"; done
    [ -n "$is_native" ] && [ -f "$module" ] || return 0
    # A damaged module would crash every program that resolves a name.
    {
        problem=$(LD_PRELOAD=$module getent --version 2>&1 >/dev/null) ||
            : "${problem:=a program that tries to crashes}"
    } 2>/dev/null # hides the shell's own report of a crash
    [ -z "$problem" ] || fail "$module cannot be loaded: ${problem#*shared libraries: }"
}

# Refuses if FILE is built for another architecture than the module.
need_architecture() {
    case $(elf_kind "$1") in
    '' | "$kind") ;;
    *) fail "$1 is built for another architecture than $module" ;;
    esac
}

# Refuses unless the file FILE can be made or removed.
need_writable() {
    parent=${1%/*}
    while [ ! -d "${parent:-/}" ]; do parent=${parent%/*}; done
    [ -n "$dry_run" ] || [ -w "${parent:-/}" ] || fail "${parent:-/} cannot be written to (is it mounted read-only?)"
}

# --- The folder and the links into it -----------------------------------------------------------------

# Everything is on the disk before anything is renamed into place.
install_folder() {
    run rm -rf "$new"
    run mkdir "$new"
    while IFS='|' read -r name mode source _; do
        [ -n "$source" ] || continue
        cmp -s "$source" "$folder/$name" || say "install $folder/$name"
        run install -m "$mode" "$source" "$new/$name"
    done <<END
$files
END
    make_aliases "$new"
    [ -z "$dry_run" ] || return 0
    { echo "$folder" >"$new/ld.so.conf" && list_outside >"$new/outside" && sync; } ||
        fail "$folder cannot be written (is the disk full?)"
    if [ ! -d "$folder" ]; then
        undo=yes
        run mv "$new" "$folder"
    else
        # Running programs keep the file that they have loaded.
        for file in "$new"/*; do
            cmp -s "$file" "$folder/${file##*/}" || run mv -f "$file" "$folder/"
        done
    fi
}

# The names under which glibc looks for the module's other services.
make_aliases() {
    for service in mdns4 mdns6 mdns_minimal mdns4_minimal mdns6_minimal; do
        run ln -sf libnss_mdns.so.2 "$1/libnss_$service.so.2"
    done
}

# The places of the links, also of earlier runs, and the folders that are made for them, which end with a slash.
list_outside() {
    {
        cat "$folder/outside" 2>/dev/null
        for place in $places; do
            echo "$place"
            place=${place%/*}
            while [ ! -d "${place:-/}" ]; do echo "$place/" && place=${place%/*}; done
        done
    } | LC_ALL=C sort -u
}

make_links() {
    while IFS='|' read -r name _ _ place; do
        if [ -z "$place" ] || our_links | grep -q -x -F "$place"; then
            continue
        elif [ -e "$place" ] || [ -L "$place" ]; then
            echo "leave $place as it is: it is not of the installation in $libdir"
        else
            say "link $place"
            run mkdir -p "${place%/*}"
            run ln -s "$folder/$name" "$place"
        fi
    done <<END
$files
END
    # Those of another prefix.
    [ ! -f "$folder/outside" ] || remove_links "$places"
}

# The links that this script has made, and that nobody has replaced since.
our_links() {
    [ -f "$folder/outside" ] || return 0
    while IFS= read -r place; do
        case $(readlink -- "$place") in "$folder"/*) echo "$place" ;; esac
    done <"$folder/outside"
}

# Removes the links that are not in the list WANTED, and the folders that were made for them and are empty now.
remove_links() {
    for place in $(our_links | grep -v -x -F "$1"); do
        say "remove $place"
        run rm -f "$place"
    done
    [ -z "$dry_run" ] || return 0
    grep '/$' "$folder/outside" | LC_ALL=C sort -r | xargs -d '\n' -r rmdir 2>/dev/null
}

# remove_modules LIBDIRS
remove_modules() {
    # Another architecture's module that stays needs the hosts line.
    installed | grep -q -v -x -F "$1" || remove_from_hosts_line
    for libdir in $1; do
        name_folder
        remove_folder
    done
}

remove_folder() {
    run rm -rf "$new"
    [ -f "$folder/outside" ] || return 0
    remove_links ''
    [ "$(count_cached)" = 0 ] || run_ldconfig
    say "remove $folder"
    run mv "$folder" "$new"
    run rm -rf "$new"
}

# How many files of the folder the loader's cache lists.
count_cached() {
    ldconfig -p | grep -c -F "=> $folder/libnss_mdns"
}

run_ldconfig() {
    say "run ldconfig"
    [ -n "$dry_run" ] || ldconfig || fail "ldconfig failed (is the disk full?)"
}

# --- The hosts line -----------------------------------------------------------------------------------

# Finds a program nss-mdns that runs here. The one beside the module may be for another architecture.
find_program() {
    for program in "${module%/*}/nss-mdns" "$folder/nss-mdns" nss-mdns "$here/nss-mdns" \
        "$here/target/release/nss-mdns"; do
        if "$program" --version >/dev/null 2>&1; then return 0; fi
    done
    return 1
}

# Refuses if the program would refuse to edit this line.
check_hosts_line() {
    plan=''
    if ! find_program; then
        [ -n "$dry_run" ] || fail "no nss-mdns that runs here is beside the module or installed"
    elif ! plan=$("$program" hosts add --dry-run 2>&1); then
        [ -z "${plan##*belongs to authselect*}" ] || fail "${plan#nss-mdns: }"
    fi
}

add_to_hosts_line() {
    case $plan in
    'would change'*)
        changed=yes
        run touch "$note"
        "$program" hosts add ${dry_run:+--dry-run} || exit 1
        ;;
    *'belongs to authselect'*) echo "$plan" ;;
    esac
}

# A line that the program refuses to edit stays as it is: without a module, glibc skips the service.
remove_from_hosts_line() {
    [ -e "$note" ] || return 0
    find_program || fail "no nss-mdns is here to edit the hosts line"
    "$program" hosts remove ${dry_run:+--dry-run}
    backup=$(readlink -f /etc/nsswitch.conf).before-nss-mdns
    [ -e /etc/nsswitch.conf ] || echo "leave $backup: /etc/nsswitch.conf, as it was before the installation, is gone"
    run rm -f "$note"
}

# --- Interruption -------------------------------------------------------------------------------------

# From here on, no other run can start. However this one ends, it undoes a first installation that is incomplete.
begin() {
    [ -z "$dry_run" ] || return 0
    # The lock is on /etc itself and ends with this process.
    exec 9</etc
    flock -n 9 || fail "another install.sh is running"
    trap clean_up EXIT
    trap 'fail interrupted' HUP INT TERM
}

clean_up() {
    trap '' HUP INT TERM
    [ -z "$undo" ] || (remove_modules "$libdir") >/dev/null
    [ -z "$new" ] || rm -rf "$new"
}

main "$@"
