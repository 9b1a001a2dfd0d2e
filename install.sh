#!/bin/sh
# Installs the module and the program nss-mdns of this checkout (or release archive), or uninstalls them; --help lists
# the options. In a release archive, libnss_mdns.so and nss-mdns are beside this script.
#
# Everything is in one folder, LIBDIR/nss-mdns, which appears in one rename. Outside of it there are only symbolic links
# into it, and the service on the hosts line of /etc/nsswitch.conf, which the program nss-mdns edits. A link in
# /etc/ld.so.conf.d makes glibc prefer this module to another package's in LIBDIR, which nothing here touches. The file
# `outside` in the folder lists the links before they are made, so a run that was killed can be repeated or undone.
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
  --prefix DIR   link the program, the manual pages and the example into DIR/bin and DIR/share; otherwise into /usr/local
  --destdir DIR  only put the files of a package below DIR, for the prefix /usr
  --no-check     do not check the installation at the end
  --help         print this

Only installing and uninstalling need root. A file in the place of a link is left alone, and so is /etc/nss-mdns.conf.
Exit status: 0 done; 1 not possible, nothing was changed; 2 wrong usage; 3 installed, but the check found a problem.
If --uninstall ends with 1, something may be left: remove the cause and repeat it. --check exits as `nss-mdns check` does.
END
}

readonly object=libnss_mdns.so.2
readonly apparmor=/etc/apparmor.d/abstractions
readonly note=/var/lib/nss-mdns.hosts-line

main() {
    umask 022
    PATH=$PATH:/usr/sbin:/sbin
    # Lists of paths have one a line.
    IFS='
'
    action=install_module dry_run='' check=yes destdir='' prefix='' libdir='' module='' to_build='' changed='' undo='' new=''
    parse_options "$@"
    here=$(dirname -- "$(readlink -f -- "$0")") && cd -P -- "$here" || exit 1
    $action
}

parse_options() {
    while [ $# -gt 0 ]; do
        case $1 in
        --*=*) option=$1 && shift && set -- "${option%%=*}" "${option#*=}" "$@" ;;
        esac
        case $1 in
        --help | -h) usage && exit 0 ;;
        --try) action=try_it ;;
        --uninstall) action=uninstall_module ;;
        --check) action=check_system ;;
        --dry-run) dry_run=yes ;;
        --no-check) check='' ;;
        --destdir) destdir=$(path "$@") && shift || exit 2 ;;
        --prefix) prefix=$(path "$@") && shift || exit 2 ;;
        --libdir) libdir=$(path "$@") && shift || exit 2 ;;
        --module) module=$(path "$@") && shift || exit 2 ;;
        *) wrong_usage "unknown argument $1" ;;
        esac
        shift
    done
    : "${prefix:=${destdir:+/usr}}" "${prefix:=/usr/local}"
    if [ -n "$destdir" ]; then
        [ "$action" = install_module ] || wrong_usage "--destdir is only for installing"
        action=stage_package
    else
        # The same folder is to be spelled the same in every run.
        prefix=$(readlink -m -- "$prefix") libdir=${libdir:+$(readlink -m -- "$libdir")}
    fi
}

# The value of the first argument, which is an option.
path() {
    case ${2:-} in
    '') wrong_usage "$1 needs a value" ;;
    /*) printf '%s\n' "$2" ;;
    *) printf '%s\n' "$PWD/$2" ;;
    esac
}

wrong_usage() {
    echo "install.sh: $1; see ./install.sh --help" >&2
    exit 2
}

fail() {
    echo "install.sh: $1" >&2
    exit 1
}

# One line for each change, also in a dry run.
step() {
    changed=yes
    if [ -n "$dry_run" ]; then echo "would $1"; else echo "$1"; fi
}

# --- The five things it does -------------------------------------------------------------------------

install_module() {
    need_root
    find_module
    choose_folder
    build
    need_fitting_module
    each_file need_file
    read_hosts_line
    begin
    stage_files
    put_in_place
    each_file make_link
    remove_links outdated
    refresh_loader_cache
    add_to_hosts_line
    undo=''
    [ -n "$changed" ] || echo "nothing to do: the module is installed and up to date"
    note_other_architectures
    if [ -n "$dry_run" ] || [ -z "$check" ] || [ -z "$is_native" ]; then return 0; fi
    "$folder/nss-mdns" check || exit 3
}

uninstall_module() {
    need_root
    folders=${libdir:-$(libc_folders)}
    for libdir in $folders; do
        name_folder && need_removable
    done
    begin
    # Another architecture's module that stays needs the hosts line.
    if ! libc_folders | grep -v -x -F "$folders" | has_module; then remove_from_hosts_line; fi
    for libdir in $folders; do
        name_folder
        [ ! -f "$folder/outside" ] || remove_folder
        [ -n "$dry_run" ] || rm -rf "$new" || fail "$new cannot be removed"
    done
    [ -n "$changed" ] || echo "nothing to do: the module is not installed"
}

has_module() {
    while IFS= read -r folder; do [ ! -f "$folder/nss-mdns/outside" ] || return 0; done
    return 1
}

# A package has its files in the usual places, since it replaces the packages that have others there.
stage_package() {
    find_module
    choose_folder
    build
    each_file need_file
    step "put the files of a package below $destdir"
    [ -z "$dry_run" ] || return 0
    each_file copy_for_package
    make_aliases "$destdir$libdir"
}

copy_for_package() {
    place=$destdir${4:-$libdir/$1}
    { mkdir -p "${place%/*}" && cp "$3" "$place" && chmod "$2" "$place"; } || fail_on_write "$place"
}

check_system() {
    find_program || fail "the program nss-mdns is not here: sudo ./install.sh builds and installs it"
    exec "$program" check
}

try_it() {
    [ -x tests/try ] || fail "--try needs the source tree: this is a release archive"
    exec tests/try
}

# --- What must be so before anything is changed ------------------------------------------------------

need_root() {
    [ -n "$dry_run" ] || [ "$(id -u)" = 0 ] || fail "this needs root: run it with sudo (--dry-run shows what it would do)"
}

# The folder and what else is named after it.
name_folder() {
    folder=$libdir/nss-mdns new=$libdir/nss-mdns.new
    conf=/etc/ld.so.conf.d/00-nss-mdns$(echo "$libdir" | tr / -).conf
}

# Beside the C library of the programs that can load the module.
choose_folder() {
    native=$(elf_kind "$(command -v getent)")
    kind=$([ -n "$module" ] && elf_kind "$module" || echo "$native")
    is_native=$([ "$kind" != "$native" ] || echo yes)
    [ -n "$libdir" ] || for libdir in $(libc_folders) ''; do
        [ "$(elf_kind "$libdir/libc.so.6")" != "$kind" ] || break
    done
    [ -n "$libdir" ] || fail "no folder has a libc.so.6 of the module's architecture: name one with --libdir DIR"
    name_folder
    [ -z "$destdir" ] || return 0
    [ -d "$libdir" ] || fail "$libdir is not a folder"
    [ ! -e "$libdir/libc.so.6" ] || [ "$kind" = "$(elf_kind "$libdir/libc.so.6")" ] ||
        fail "$module is built for another architecture than $libdir/libc.so.6"
    [ ! -e "$folder" ] || [ -f "$folder/outside" ] || fail "$folder is here, and is not of this script"
    [ -d "${conf%/*}" ] || fail "${conf%/*} is not here, so this system needs a package (see packaging/README.md)"
    need_writable "$folder"
    need_writable "$conf"
}

# The folders with a libc.so.6, the loader's own choice first.
libc_folders() {
    {
        ldconfig -p | sed -n '/hwcap/d; s/^[[:blank:]]*libc\.so\.6 .* => //p'
        ls -d /usr/lib*/libc.so.6 /lib*/libc.so.6 /usr/lib/*-linux-*/libc.so.6 /lib/*-linux-*/libc.so.6
    } 2>/dev/null | while IFS= read -r file; do (cd -P "${file%/*}" && pwd); done | awk '!seen[$0]++'
}

# Class and machine of an ELF file, as hexadecimal digits; nothing if it is none.
elf_kind() {
    od -An -v -tx1 -N20 "$1" 2>/dev/null | tr -d ' \n' | sed -n 's/^7f454c46\(....\).*\(....\)$/\1\2/p'
}

# A damaged module would crash every program that resolves a name.
need_fitting_module() {
    [ -n "$is_native" ] && [ -f "$module" ] || return 0
    case $(elf_kind "${module%/*}/nss-mdns") in
    '' | "$kind") ;;
    *) fail "${module%/*}/nss-mdns is built for another architecture than $module" ;;
    esac
    # The outer redirection is for the shell's own report of a crash.
    { problem=$(LD_PRELOAD=$module getent --version 2>&1 >/dev/null) || : "${problem:=a program that tries to crashes}"; } 2>/dev/null
    [ -z "$problem" ] || fail "$module cannot be loaded: ${problem#*shared libraries: }"
}

need_file() {
    [ -f "$3" ] || [ -n "$dry_run$to_build" ] || fail "$3, which belongs beside the module, is not here"
    [ -n "$destdir" ] || [ -z "$4" ] || need_writable "$4"
}

need_removable() {
    [ -f "$folder/outside" ] || return 0
    need_writable "$folder"
    while IFS= read -r place; do
        [ ! -L "$place" ] || need_writable "$place"
    done <"$folder/outside"
}

# Whether the file FILE can be made or removed.
need_writable() {
    place=${1%/*}
    while [ ! -d "${place:-/}" ]; do place=${place%/*}; done
    [ -n "$dry_run" ] || [ -w "${place:-/}" ] || fail "${place:-/} cannot be written to (is it mounted read-only?)"
}

fail_on_write() {
    fail "$1 cannot be written (is the disk full?)"
}

# --- The module and the program: built here, or shipped with this script -----------------------------

find_module() {
    builder=''
    if [ -n "$module" ]; then
        [ -f "$module" ] || fail "$module does not exist"
        grep -q _nss_mdns_minimal_gethostbyname4_r "$module" || fail "$module is not the module"
    elif [ -f Cargo.toml ] && builder=$(packaging/build --check 2>&1); then
        to_build=yes
    elif [ -f libnss_mdns.so ]; then
        module=$PWD/libnss_mdns.so
        echo "use $module, shipped with this script"
    elif [ -f target/release/libnss_mdns.so ]; then
        module=$PWD/target/release/libnss_mdns.so
        echo "use $module, as built before: cargo is not here to build it anew"
    else
        fail "the module is not built, and cannot be built here; this is missing: ${builder:-the source tree}"
    fi
}

build() {
    [ -n "$to_build" ] || return 0
    step "build the module and nss-mdns$builder"
    changed='' module=$PWD/target/release/libnss_mdns.so
    [ -n "$dry_run" ] || module=$(packaging/build libnss_mdns.so -p nss_mdns -p nss-mdns-command) || exit 1
}

# The program of this system's own architecture.
find_program() {
    for program in "${module:+${module%/*}/nss-mdns}" "$(command -v nss-mdns)" ./nss-mdns target/release/nss-mdns; do
        "$program" --version >/dev/null 2>&1 && return 0
    done
    return 1
}

# --- The folder and the links into it ----------------------------------------------------------------

# Calls COMMAND NAME MODE SOURCE PLACE for each file of the folder. PLACE is where the link to it is. That of a second
# architecture has no program and no pages.
each_file() {
    "$1" "$object" 644 "$module" ''
    [ -n "$is_native$destdir" ] || return 0
    "$1" nss-mdns 755 "${module%/*}/nss-mdns" "$prefix/bin/nss-mdns"
    for page in nss-mdns.1 nss-mdns.conf.5 nss-mdns.8; do
        "$1" "$page" 644 "$PWD/docs/man/$page" "$prefix/share/man/man${page##*.}/$page"
    done
    if [ -n "$destdir" ]; then
        "$1" apparmor 644 "$PWD/packaging/apparmor" "$prefix/share/nss-mdns/apparmor"
    else
        "$1" nss-mdns.conf.example 644 "$PWD/docs/nss-mdns.conf.example" "$prefix/share/doc/nss-mdns/nss-mdns.conf.example"
        [ ! -d "$apparmor" ] || "$1" apparmor 644 "$PWD/packaging/apparmor" "$apparmor/nameservice.d/nss-mdns"
    fi
}

# Everything is written before anything is renamed into place.
stage_files() {
    [ -n "$dry_run" ] || { rm -rf "$new" && mkdir "$new"; } || fail "$libdir cannot be written to"
    each_file stage_file
    if [ -n "$dry_run" ]; then return 0; fi
    { echo "$folder" >"$new/ld.so.conf" && list_outside >"$new/outside" && sync; } 2>/dev/null || fail_on_write "$folder"
}

stage_file() {
    if cmp -s "$3" "$folder/$1"; then return 0; fi
    step "install $folder/$1"
    [ -n "$dry_run" ] || { cp "$3" "$new/$1" && chmod "$2" "$new/$1"; } || fail_on_write "$folder/$1"
}

make_aliases() {
    for service in mdns4 mdns6 mdns_minimal mdns4_minimal mdns6_minimal; do
        [ -L "$1/libnss_$service.so.2" ] || ln -s "$object" "$1/libnss_$service.so.2" || fail_on_write "$1"
    done
}

# The places of the links, and the folders that are made for them, which end with a slash.
list_outside() {
    {
        cat "$folder/outside" 2>/dev/null
        list_link '' '' '' "$conf"
        each_file list_link
    } | LC_ALL=C sort -u
}

list_link() {
    [ -n "$4" ] || return 0
    echo "$4"
    place=${4%/*}
    while [ ! -d "${place:-/}" ]; do echo "$place/" && place=${place%/*}; done
}

# In an older folder each file is replaced in one rename. Running programs keep the file that they have loaded.
put_in_place() {
    if [ -n "$dry_run" ]; then return 0; fi
    if [ ! -d "$folder" ]; then
        make_aliases "$new"
        mv "$new" "$folder" || fail "$folder cannot be made"
        undo=yes
    fi
    for file in "$new/outside" "$new"/*; do
        [ ! -f "$file" ] || cmp -s "$file" "$folder/${file##*/}" || mv -f "$file" "$folder/" || fail "$folder cannot be changed"
    done
    make_aliases "$folder"
    make_link ld.so.conf '' '' "$conf"
}

make_link() {
    if [ -z "$4" ] || is_ours "$4"; then return 0; fi
    if [ -e "$4" ] || [ -L "$4" ]; then
        echo "leave $4 as it is: it is not of the installation in $libdir" && return 0
    fi
    step "link $4"
    [ -n "$dry_run" ] || { mkdir -p "${4%/*}" && ln -s "$folder/$1" "$4"; } || fail "$4 cannot be made"
}

is_ours() {
    case $(readlink -- "$1") in "$folder"/*) return 0 ;; *) return 1 ;; esac
}

# "all", or those of another prefix that are "outdated". A folder that something else is in stays.
remove_links() {
    [ -f "$folder/outside" ] || return 0
    wanted=$([ "$1" = all ] || { echo "$conf" && each_file list_link; })
    outside=$(LC_ALL=C sort -r "$folder/outside")
    for place in $outside; do
        if [ "$place" != "${place%/}" ]; then
            [ -n "$dry_run" ] || rmdir "$place" 2>/dev/null
        elif is_ours "$place" && ! echo "$wanted" | grep -q -x -F "$place"; then
            step "remove $place"
            [ -n "$dry_run" ] || rm -f "$place" || fail "$place cannot be removed"
        fi
    done
}

remove_folder() {
    remove_links all
    step "remove $folder"
    ! ldconfig -p | grep -q -F "=> $folder/" || run_ldconfig
    [ -n "$dry_run" ] || { rm -rf "$new" && mv "$folder" "$new"; } || fail "$folder cannot be removed"
}

# glibc finds the module only by this cache. ldconfig lists a file that bears a SONAME under that name alone.
refresh_loader_cache() {
    is_cached || run_ldconfig
    [ -n "$dry_run" ] || is_cached || fail "the loader does not look into $folder (see /etc/ld.so.conf)"
}

is_cached() {
    [ "$(ldconfig -p | grep -c -F "=> $folder/libnss_mdns")" = 6 ]
}

run_ldconfig() {
    step "run ldconfig"
    [ -n "$dry_run" ] || ldconfig || fail "ldconfig failed (is the disk full?)"
}

# Programs of another architecture have a glibc of their own. One note for each, but none for x32, which has no programs.
note_other_architectures() {
    known="$kind 01013e00" all=$(libc_folders)
    for other in $all; do
        [ ! -d "$other/nss-mdns" ] || known="$known $(elf_kind "$other/libc.so.6")"
    done
    for other in $all; do
        case $known in *"$(elf_kind "$other/libc.so.6")"*) continue ;; esac
        known="$known $(elf_kind "$other/libc.so.6")"
        echo "note: programs that use $other/libc.so.6 have no module yet; docs/32-bit.md says how to build one for them"
    done
}

# --- The hosts line ----------------------------------------------------------------------------------

# Fails before anything is changed if the program does not edit this line.
read_hosts_line() {
    plan=''
    find_program || { [ -n "$dry_run" ] && return 0; } || fail "no nss-mdns that runs here is beside the module or installed"
    plan=$("$program" hosts add --dry-run 2>&1) && return 0
    case $plan in
    *'belongs to authselect'*) ;;
    *) fail "${plan#nss-mdns: }" ;;
    esac
}

# The note says that the service is there because of this script.
add_to_hosts_line() {
    case $plan in
    'nothing to do'*) return 0 ;;
    'would change'*) changed=yes ;;
    esac
    if [ -n "$dry_run" ] || [ -z "${plan##*authselect*}" ]; then echo "$plan" && return 0; fi
    { : >"$note"; } 2>/dev/null || fail_on_write "$note"
    "$program" hosts add || exit 1
}

# A line that the program refuses to edit stays as it is: without a module, glibc passes over the service.
remove_from_hosts_line() {
    [ -e "$note" ] || return 0
    find_program || fail "no nss-mdns is here to edit the hosts line"
    backup=$(readlink -f /etc/nsswitch.conf).before-nss-mdns
    if [ ! -e /etc/nsswitch.conf ]; then
        echo "leave $backup: /etc/nsswitch.conf, as it was before the installation, is not there any more"
    else
        "$program" hosts remove ${dry_run:+--dry-run}
    fi
    [ -n "$dry_run" ] || rm -f "$note"
}

# --- Interruption ------------------------------------------------------------------------------------

# From here on an exit, wanted or not, removes what is staged, and undoes a first installation.
begin() {
    [ -z "$dry_run" ] || return 0
    # Two runs at once would write the same files. The lock is on the folder itself and ends with this process.
    if command -v flock >/dev/null; then
        exec 9</etc
        flock -n 9 || fail "another install.sh is running"
    fi
    trap clean_up EXIT
    trap 'fail interrupted' HUP INT TERM
}

clean_up() {
    trap '' HUP INT TERM
    if [ -n "$undo" ]; then
        undo=''
        (remove_from_hosts_line && remove_folder) >/dev/null
    fi
    [ -z "$new" ] || rm -rf "$new"
}

main "$@"
