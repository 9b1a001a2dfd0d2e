#!/bin/sh
# Installs the NSS module of this checkout (or release archive) into the running system, takes it away again, or
# explains what is there; `./install.sh --help` lists the options.
#
# In a release archive libnss_mdns.so and nss-mdns lie beside this script, and docs/ is as in the checkout.
#
# Everything is checked before anything is changed. Every file is written elsewhere on its file system and renamed
# into place: a process may load the module, or read nsswitch.conf, at any moment. Beside the module stand two folders:
#   nss-mdns-staged  what is being written; only while this runs, and swept by the next run if this one is killed
#   nss-mdns-kept    other packages' files that were replaced, and lists of what was installed. It appears complete
#                    before the first file is replaced and vanishes in one rename after the last is back, so a
#                    killed run can always be done again.
#
# Sections: the five things it does; messages and interruption; what must be there; where the C library is; the module
# built or shipped; its files, and others' of the same names; the program and the pages; Debian's diversions;
# nsswitch.conf; does a name resolve; --check: the hosts line, the files, the program that explains the rest.

usage() {
    cat <<'END'
Usage: sudo ./install.sh             build the module, install it, add it to nsswitch.conf, try it
       sudo ./install.sh --uninstall bring everything back as it was
       ./install.sh --check          explain what is there and what is to mend; changes nothing (needs no root),
                                     but asks a few questions on each network interface
       ./install.sh --try            show it at work in a private network; installs nothing

Options:
  --dry-run          print what would be changed, change nothing (needs no root)
  --prefix DIR       the folder for bin/nss-mdns, the manual pages in share/man and the example of
                     /etc/nss-mdns.conf in share/doc/nss-mdns; otherwise /usr/local, and with --destdir /usr
  --destdir DIR      only put the files below DIR, for packagers (needs no root; without the example)
  --libdir DIR       the folder for the module; otherwise the one that holds the system's libc.so.6
                     (a folder without a libc.so.6 has to be named to --uninstall and --check too)
  --module FILE      install this built module (for a second architecture, say) instead of building one;
                     nss-mdns is taken from the same folder, if the module is for this system's own programs
  --check-name NAME  the .local name to resolve at the end; otherwise this machine's own
  --no-check         do not resolve a name at the end
  --help             print this

A file that another package has put where one of the module belongs is kept, and comes back with --uninstall. Where the
program, a page or the example belongs, it is left alone. /etc/nss-mdns.conf is never touched.

Exit status: 0 done; 1 not possible, nothing was changed; 2 wrong usage;
             3 installed, but a .local name does not resolve yet (the reason is printed).
With --uninstall, 1 may also mean that not everything is back yet: once the reason is mended, try again.
With --check: 0 all is well; 1 something is to mend (the lines say what); 2 wrong usage; 4 nothing could be said.
Its lines begin with what they are about: hosts:, files:, settings:, allowed:, interface NAME:, firewall NAME:, lookup:
END
}

readonly object=libnss_mdns.so.2
readonly links='libnss_mdns4.so.2 libnss_mdns6.so.2
    libnss_mdns_minimal.so.2 libnss_mdns4_minimal.so.2 libnss_mdns6_minimal.so.2'
readonly services='mdns mdns4 mdns6 mdns_minimal mdns4_minimal mdns6_minimal'
readonly words='mdns_minimal [NOTFOUND=return]'

main() {
    set -u
    umask 022
    PATH=$PATH:/usr/sbin:/sbin
    called_from=$PWD
    parse_options "$@"
    need_tools
    here=$(dirname -- "$(readlink -f -- "$0")") && cd -P -- "$here" || exit "$failure"
    [ -n "$destdir" ] || spell_folders
    case $action in
    try) try_it ;;
    check) check_system ;;
    stage) stage ;;
    install) install_system ;;
    uninstall) uninstall_system ;;
    esac
}

parse_options() {
    action=install dry_run='' destdir='' prefix='' libdir='' module='' check_name='' check=yes
    while [ $# -gt 0 ]; do
        case $1 in
        --*=*)
            option=${1%%=*} value=${1#*=}
            shift
            set -- "$option" "$value" "$@"
            takes_value "$1" || wrong_usage "$1 takes no value"
            ;;
        esac
        if takes_value "$1"; then
            [ -n "${2:-}" ] || wrong_usage "$1 needs a value"
        fi
        case $1 in
        --help | -h) usage && exit 0 ;;
        --try) action=try ;;
        --uninstall) action=uninstall ;;
        --check) action=check failure=4 ;;
        --dry-run) dry_run=yes ;;
        --no-check) check='' ;;
        --destdir) destdir=$(absolute "$2") ;;
        --prefix) prefix=$(absolute "$2") ;;
        --libdir) libdir=$(absolute "$2") ;;
        --module) module=$(absolute "$2") ;;
        --check-name) check_name=$2 ;;
        *) wrong_usage "unknown option $1" ;;
        esac
        takes_value "$1" && shift
        shift
    done
    : "${prefix:=${destdir:+/usr}}" "${prefix:=/usr/local}"
    [ -n "$destdir" ] || return 0
    [ "$action" = install ] || wrong_usage "--destdir is only for installing"
    action=stage
}

takes_value() {
    case $1 in
    --destdir | --prefix | --libdir | --module | --check-name) return 0 ;;
    esac
    return 1
}

absolute() {
    case $1 in
    /*) printf '%s\n' "$1" ;;
    *) printf '%s\n' "$called_from/$1" ;;
    esac
}

# What is installed is noted down by its path, so the same folder has to be spelled the same in every run.
spell_folders() {
    ! spelled=$(readlink -m -- "$prefix" 2>/dev/null) || prefix=${spelled%/}
    [ -z "$libdir" ] || [ ! -d "$libdir" ] || libdir=$(cd -P "$libdir" && pwd)
}

wrong_usage() {
    echo "install.sh: $1; see ./install.sh --help" >&2
    exit 2
}

# --- The five things it does -------------------------------------------------------------------------

install_system() {
    need_root
    find_module_source
    read_nsswitch
    [ -n "$libdir" ] || libdir=$(system_libdir) || fail_without_libdir
    need_folder "$libdir"
    enter "$libdir"
    need_diversions
    build_module
    need_fitting_module
    choose_extras
    if [ -z "$dry_run" ]; then
        guard_against_interruption
        stage_object
        stage_nsswitch
    fi
    keep_other_files
    [ -n "$dry_run" ] || stage_extras
    divert_packages
    put_in_place
    put_extras
    remove_extras outdated
    [ -n "$dry_run" ] || flush "$libdir"
    [ -z "$changed" ] || refresh_loader_cache
    change_nsswitch
    undo=''
    [ -n "$changed" ] || echo "nothing to do: the module is installed and up to date"
    if [ -n "$dry_run" ] || [ -z "$check" ] || check_lookup; then return 0; fi
    echo "lookup: $name does not resolve: $reason" >&2
    exit 3
}

uninstall_system() {
    need_root
    if [ -n "$libdir" ]; then folders=$libdir; else folders=$(libc_folders); fi
    folders=$(printf '%s\n' "$folders" | touched_folders)
    read_nsswitch_for_removal
    need_writable "$folders
$(folders_of_extras "$folders")"
    [ -n "$dry_run" ] || guard_against_interruption
    touched_outside "$folders" || restore_nsswitch
    while IFS= read -r folder; do
        [ -n "$folder" ] || continue
        enter "$folder"
        bring_back_files
    done <<END
$folders
END
    if [ -n "$folders" ]; then refresh_loader_cache; fi
    [ -n "$changed" ] || echo "nothing to do: the module is not installed"
}

# Only the files, below DIR: what a package contains.
stage() {
    find_module_source
    [ -n "$libdir" ] || libdir=$(system_libdir) || fail_without_libdir
    build_module
    enter "$destdir$libdir"
    prefix=$destdir$prefix
    extras=$(all_extras)
    need_sources
    if [ -z "$dry_run" ]; then
        mkdir -p "$libdir" || fail "$libdir cannot be made"
        trap clean_up EXIT
        stage_object
        stage_extras
    fi
    put_in_place
    put_extras
}

# Nothing here changes anything.
check_system() {
    [ -n "$libdir" ] || libdir=$(system_libdir) || fail_without_libdir
    enter "$libdir"
    module=$libdir/$object conf=$(readlink -f "$nsswitch") to_mend=''
    explain_hosts
    explain_files
    explain_the_rest
    check_lookup || mend lookup "$name does not resolve: $reason"
    [ -z "$to_mend" ] || exit 1
}

# Both programs are built by the user who called, also under sudo (where user namespaces are forbidden, that takes root).
try_it() {
    [ -f Cargo.toml ] || fail "--try needs the source tree: this is a release archive"
    find_cargo || fail "--try needs cargo (https://rustup.rs installs it)"
    build=yes
    build_module
    echo "build the demonstration"
    build_with_cargo try_it --quiet -p tests --no-default-features --bin try_it || fail "cargo could not build the demonstration"
    export NSS_MDNS_MODULE="$module"
    exec "$built_file"
}

# --- Messages and interruption -----------------------------------------------------------------------

# One line for each change, also in a dry run.
step() {
    changed=yes
    if [ -n "$dry_run" ]; then echo "would $1"; else echo "$1"; fi
}

fail() {
    echo "install.sh: $1" >&2
    exit "$failure"
}

failure=1
changed=''
undo=''
kept='' staged='' extras='' new_conf='' new_backup=''

# From here on an exit, wanted or not, removes what is staged, and takes a first installation back.
guard_against_interruption() {
    lock_out_others
    trap clean_up EXIT
    trap 'fail "interrupted"' HUP INT TERM
}

# Two runs at once would write the same files. The lock is on the folder itself and ends with this process.
lock_out_others() {
    command -v flock >/dev/null || return 0
    exec 9</etc
    flock -n 9 || fail "another install.sh is running"
}

clean_up() {
    trap '' HUP INT TERM
    [ -z "$undo" ] || take_back
    sweep
}

# What this run, or one that was killed, has staged.
sweep() {
    sweep_extras
    [ -z "$staged" ] || rm -rf "$staged"
    [ -z "$new_conf" ] || rm -f "$new_conf" "$new_backup"
}

take_back() {
    undo=''
    bring_back_files >/dev/null
    refresh_loader_cache >/dev/null
}

# Flushes the named file to disk; an older `sync` flushes everything instead.
flush() {
    sync "$1" 2>/dev/null || sync
}

# --- What must be there before anything is changed ---------------------------------------------------

need_tools() {
    for tool in awk cksum dirname grep head od readlink sed stat sync tail; do
        command -v $tool >/dev/null || fail "this needs the command $tool"
    done
}

need_root() {
    [ -n "$dry_run" ] || [ "$(id -u)" = 0 ] ||
        fail "this needs root: run it with sudo (or with --dry-run to see what it would do)"
}

need_folder() {
    [ -d "$1" ] || fail "$1 is not a folder"
    need_writable "$1"
}

# Each of the FOLDERS, one a line.
need_writable() {
    [ -z "$dry_run" ] || return 0
    while IFS= read -r folder; do
        [ -z "$folder" ] || [ -w "$folder" ] || fail "$folder cannot be written to (is it mounted read-only?)"
    done <<END
$1
END
}

fail_without_libdir() {
    fail "no folder of this system holds a glibc (libc.so.6) of this architecture: name one with --libdir DIR"
}

# Class and machine of an ELF file, as hexadecimal digits; nothing if it is none.
elf_kind() {
    header=$(od -An -v -tx1 -N20 "$1" 2>/dev/null | tr -d ' \n')
    case $header in
    7f454c46*) printf '%s\n' "$header" | cut -c 9-12,37-40 ;;
    esac
}

# A module for the wrong machine would only be passed over; one that is damaged would crash every program.
need_fitting_module() {
    [ -n "$module" ] || return 0
    kind=$(elf_kind "$module")
    [ ! -e "$libdir/libc.so.6" ] || [ "$kind" = "$(elf_kind "$libdir/libc.so.6")" ] ||
        fail "$module is built for another architecture than $libdir/libc.so.6"
    [ "$kind" = "$(elf_kind "$(command -v getent)")" ] || return 0
    problem=$(problem_of_loading "$module")
    [ -z "$problem" ] || fail "$module cannot be loaded: $problem"
}

# What the loader says when a program that does nothing is to load FILE; nothing if it can.
problem_of_loading() {
    # The outer redirection is for the shell's own report of a crash.
    { complaint=$(LD_PRELOAD=$1 getent --version 2>&1 >/dev/null); } 2>/dev/null || [ -n "$complaint" ] ||
        complaint="a program that tries to crashes"
    printf '%s\n' "$complaint" |
        sed -n 's/.*cannot be preloaded (\(.*\)).*/\1/; s/^[^ ]*getent: //; s/.*shared libraries: //; 1p'
}

# --- Where the system's C library is -----------------------------------------------------------------

# The folders that hold a libc.so.6, the loader's own choice first.
libc_folders() {
    {
        ldconfig -p 2>/dev/null | sed -n '/hwcap/d; s/^[[:blank:]]*libc\.so\.6 .* => //p'
        ls -d /usr/lib/*-linux-*/libc.so.6 /lib/*-linux-*/libc.so.6 /usr/lib64/libc.so.6 /lib64/libc.so.6 \
            /usr/lib/libc.so.6 /lib/libc.so.6 /usr/lib32/libc.so.6 /lib32/libc.so.6 2>/dev/null
    } | while IFS= read -r file; do
        folder_of "$file" 2>/dev/null
    done | awk '!seen[$0]++'
}

# The one among them whose libc is of the module's kind; before it is built, of the system's own programs.
system_libdir() {
    sample=$module
    [ -n "$sample" ] || sample=$(command -v getent) || return 1
    wanted=$(elf_kind "$sample")
    libc_folders | while IFS= read -r folder; do
        [ "$(elf_kind "$folder/libc.so.6")" = "$wanted" ] || continue
        printf '%s\n' "$folder"
        break
    done | grep .
}

# --- The module: built here, or shipped with this script ---------------------------------------------

readonly built=target/release/libnss_mdns.so

find_module_source() {
    build=''
    if [ -n "$module" ]; then
        [ -f "$module" ] || fail "$module does not exist"
        grep -q _nss_mdns_minimal_gethostbyname4_r "$module" || fail "$module is not the module"
    elif [ -f Cargo.toml ] && find_cargo; then
        build=yes
    else
        module=$PWD/libnss_mdns.so
        if [ -f "$module" ]; then echo "use $module, shipped with this script" && return 0; fi
        module=$PWD/$built
        if [ -f "$module" ]; then
            echo "use $module, as built before: cargo is not here to build it anew" && return 0
        fi
        fail "cargo is not here to build the module, and no built one is either: install Rust (https://rustup.rs), \
or run 'cargo build --release --locked -p nss_mdns -p nss-mdns-command' as a user who has it"
    fi
}

# Under sudo the build belongs to the user who called: cargo is often in that home only, and target/ would
# become root's. A tree that this user cannot write to is built by root.
find_cargo() {
    builder=${SUDO_USER:-${DOAS_USER:-root}} builder_home=${HOME:-/}
    if [ "$(id -u)" != 0 ] || [ "$builder" = root ] || ! tree_belongs_to_builder; then
        builder=''
    else
        builder_home=$(getent passwd "$builder" | cut -d: -f6)
    fi
    cargo=$(as_builder sh -c 'command -v cargo')
}

tree_belongs_to_builder() {
    runuser -u "$builder" -- test -w . || return 1
    [ ! -e target ] || runuser -u "$builder" -- test -w target
}

as_builder() {
    if [ -n "$builder" ]; then
        runuser -u "$builder" -- env HOME="$builder_home" PATH="$builder_home/.cargo/bin:$PATH" "$@"
    else
        PATH="$builder_home/.cargo/bin:$PATH" "$@"
    fi
}

build_module() {
    [ -n "$build" ] || return 0
    if [ -n "$dry_run" ]; then
        echo "would build $built and nss-mdns${builder:+ as $builder}"
        return 0
    fi
    echo "build $built and nss-mdns${builder:+ as $builder}"
    build_with_cargo libnss_mdns.so -p nss_mdns -p nss-mdns-command || fail "cargo could not build the module"
    module=$built_file
    [ -f "$module" ] || fail "cargo built no $built"
}

# Where FILE is then, cargo itself says: a build.target in somebody's configuration moves it out of target/release, where
# an older one may lie.
build_with_cargo() {
    wanted=$1
    shift
    unset CARGO_BUILD_TARGET
    said=$(as_builder env CARGO="$cargo" packaging/cargo build --release --locked --target-dir target \
        --message-format json-render-diagnostics "$@") || return 1
    built_file=$(printf '%s\n' "$said" | tr '"' '\n' | grep "/release/$wanted\$" | tail -n 1)
    : "${built_file:=$PWD/target/release/$wanted}"
}

# --- The files of the module, and those of other packages with the same names -------------------------

# Folders of their own: copies beside the originals would not do, because ldconfig turns any lib*.so* that
# bears the right SONAME into the target of the links.
enter() {
    libdir=$1 kept=$1/nss-mdns-kept staged=$1/nss-mdns-staged
}

is_installed() {
    [ -d "$kept" ]
}

# Of the folders on standard input, those where the module is, or where a run was killed.
touched_folders() {
    while IFS= read -r folder; do
        if [ -d "$folder/nss-mdns-kept" ] || [ -d "$folder/nss-mdns-staged" ]; then printf '%s\n' "$folder"; fi
    done
}

# Whether a folder that is not among FOLDERS has the module too (that of a second architecture).
touched_outside() {
    libc_folders | touched_folders | grep -v -x -F "$1" | grep -q .
}

same() {
    [ -f "$2" ] && [ "$(cksum <"$1")" = "$(cksum <"$2")" ]
}

exists() {
    [ -e "$1" ] || [ -L "$1" ]
}

# One of our links, or an object whose checksum was noted down before it was put there.
is_ours() {
    is_installed || return 1
    if [ -L "$1" ]; then
        [ "$(readlink "$1")" = "$object" ]
    else
        [ -f "$1" ] && grep -q -x -F "$(cksum <"$1")" "$kept/objects" 2>/dev/null
    fi
}

is_theirs() {
    exists "$1" && ! is_ours "$1"
}

stage_object() {
    { rm -rf "$staged" && mkdir "$staged"; } || fail "$libdir cannot be written to"
    new_object=$staged/$object
    { cp "$module" "$new_object" && chmod 644 "$new_object" && flush "$new_object" &&
        same "$module" "$new_object"; } || fail "$libdir/$object cannot be written (is the disk full?)"
}

# Hard links, so that not a byte of theirs is copied. On a first installation they are gathered beforehand and
# appear in one rename; later only what another package has put over ours in the meantime is added.
keep_other_files() {
    keeping=$kept
    if ! is_installed; then
        keeping=$staged/kept
        [ -n "$dry_run" ] || mkdir "$keeping" || fail "$kept cannot be made (is the disk full?)"
    fi
    for name in $object $links; do
        if is_theirs "$libdir/$name"; then keep "$libdir/$name"; fi
    done
    [ -z "$dry_run" ] || return 0
    note_down_object
    note_down_extras
    if is_installed; then return 0; fi
    mv "$keeping" "$kept" || fail "$kept cannot be made"
    undo=yes
}

keep() {
    step "keep $1 in $kept"
    [ -n "$dry_run" ] || link_over "$1" "$keeping/$(basename "$1")"
}

# Gives FILE a second name, in one step also where that name is taken.
link_over() {
    if exists "$2" && [ "$(stat -c %d:%i "$1")" = "$(stat -c %d:%i "$2")" ]; then return 0; fi
    rm -f "$staged/link"
    { ln "$1" "$staged/link" && mv -f "$staged/link" "$2"; } || fail "$2 cannot be made from $1"
}

# The new object's checksum, beside that of the one it replaces.
note_down_object() {
    if grep -q -x -F "$(cksum <"$module")" "$keeping/objects" 2>/dev/null; then return 0; fi
    sums=$(cksum <"$module")
    if is_ours "$libdir/$object"; then sums="$sums
$(cksum <"$libdir/$object")"; fi
    printf '%s\n' "# The other files here are those of other packages that nss-mdns's install.sh has replaced:" \
        "# 'install.sh --uninstall' brings them back. Below, the checksums of the module that it put there." \
        "$sums" 2>/dev/null >"$staged/objects" || fail "$kept cannot be written (is the disk full?)"
    flush "$staged/objects"
    mv -f "$staged/objects" "$keeping/objects" || fail "$kept cannot be written"
}

# The object first: a link must never lead to another package's object, which lacks the link's functions.
put_in_place() {
    if [ ! -f "$module" ] || [ -L "$libdir/$object" ] || ! same "$module" "$libdir/$object"; then
        step "install $libdir/$object"
        [ -n "$dry_run" ] || mv -f "$new_object" "$libdir/$object" || fail "$libdir/$object cannot be replaced"
    fi
    for name in $links; do
        put_link "$libdir/$name"
    done
}

put_link() {
    if [ "$(readlink "$1")" = "$object" ]; then return 0; fi
    step "link $1 to $object"
    [ -z "$dry_run" ] || return 0
    rm -f "$staged/link"
    { ln -s "$object" "$staged/link" && mv -f "$staged/link" "$1"; } || fail "$1 cannot be made"
}

# The way back, links first. What is neither ours nor kept by us stays as it is.
bring_back_files() {
    if [ -z "$dry_run" ]; then mkdir -p "$staged" || fail "$libdir cannot be written to"; fi
    if is_installed; then
        for name in $links $object; do
            bring_back "$libdir/$name" "$kept/$name"
        done
        remove_extras all
        lift_diversions
        [ -n "$dry_run" ] || { rm -rf "$staged/kept" && mv "$kept" "$staged/kept"; } || fail "$kept cannot be removed"
    fi
    [ -n "$dry_run" ] || rm -rf "$staged"
}

bring_back() {
    if is_theirs "$1"; then return 0; fi
    if exists "$2"; then
        step "bring back $1"
        [ -n "$dry_run" ] || link_over "$2" "$1"
    elif exists "$1"; then
        step "remove $1"
        [ -n "$dry_run" ] || rm -f "$1" || fail "$1 cannot be removed"
    fi
}

# --- The program that explains, and the pages ---------------------------------------------------------

# What is installed besides the module, one a line: mode, name, place.
all_extras() {
    printf '%s\n' "755 nss-mdns $prefix/bin/nss-mdns" \
        "644 nss-mdns.1 $prefix/share/man/man1/nss-mdns.1" \
        "644 nss-mdns.8 $prefix/share/man/man8/nss-mdns.8" \
        "644 nss-mdns.conf.5 $prefix/share/man/man5/nss-mdns.conf.5"
    # The folder below share/doc is named after the package: a packager knows it.
    [ -n "$destdir" ] ||
        printf '%s\n' "644 nss-mdns.conf.example $prefix/share/doc/nss-mdns/nss-mdns.conf.example"
}

# Where the file NAME comes from; of a program that a dry run does not build, nowhere.
source_of() {
    case $1 in
    nss-mdns) [ -z "$module" ] || printf '%s\n' "${module%/*}/$1" ;;
    *.[158]) printf '%s\n' "$PWD/docs/man/$1" ;;
    *) printf '%s\n' "$PWD/docs/$1" ;;
    esac
}

# The program and the pages go with the module for this system's own programs; that of a second architecture would only
# bring a second program to the same place. What others have put there is left alone.
choose_extras() {
    if [ -n "$module" ] && [ "$(elf_kind "$module")" != "$(elf_kind "$(command -v getent)")" ]; then return 0; fi
    extras=$(all_extras)
    need_sources
    program=$(source_of nss-mdns)
    kind=$(elf_kind "$program")
    [ -z "$kind" ] || [ "$kind" = "$(elf_kind "$module")" ] ||
        fail "$program is built for another architecture than $module"
    chosen=''
    while read -r mode name place; do
        if exists "$place" && ! is_ours_elsewhere "$place"; then
            is_in_place "$name" "$place" ||
                echo "leave $place as it is: it is not of the installation in $libdir"
        else
            need_writable "$(nearest_folder "$place")"
            chosen="${chosen:+$chosen
}$mode $name $place"
        fi
    done <<END
$extras
END
    extras=$chosen
}

need_sources() {
    while read -r mode name place; do
        file=$(source_of "$name")
        [ -z "$file" ] || [ -f "$file" ] || fail "$file, which belongs beside the module, is not there"
    done <<END
$extras
END
}

nearest_folder() {
    folder=${1%/*}
    while [ ! -d "${folder:-/}" ]; do folder=${folder%/*}; done
    printf '%s\n' "${folder:-/}"
}

is_in_place() {
    file=$(source_of "$1")
    [ -n "$file" ] && same "$file" "$2"
}

# A file whose checksum and place were noted down before it was put there.
is_ours_elsewhere() {
    [ -f "$1" ] && [ ! -L "$1" ] || return 1
    noted_down file | sed -n "s/^$(cksum <"$1") //p" | while IFS= read -r noted; do
        ! is_same_file "$noted" "$1" || echo yes
    done | grep -q .
}

# One file, however the two paths to it are spelled.
is_same_file() {
    [ -e "$1" ] && [ "$(stat -c %d:%i "$1")" = "$(stat -c %d:%i "$2" 2>/dev/null)" ]
}

# Whether FILE is in a place where this run puts something.
is_wanted() {
    all_extras | while read -r mode name place; do
        ! is_same_file "$1" "$place" || echo yes
    done | grep -q .
}

# Whether FILE still has the CHECKSUM that was noted down.
is_still() {
    [ -f "$2" ] && [ ! -L "$2" ] && [ "$(cksum <"$2")" = "$1" ]
}

# Before the first of them is written, `files` in the folder of kept files tells where each will be and which folders
# were made for them. Beside the new checksum of a file stands that of the one it replaces.
note_down_extras() {
    wanted=$(lines_on_extras)
    [ -n "$wanted" ] || return 0
    if [ -f "$keeping/files" ]; then
        printf '%s\n' "$wanted" | grep -q -v -x -F -f "$keeping/files" || return 0
        wanted=$(printf '%s\n' "$wanted" && lines_still_true)
    fi
    printf '%s\n' "$wanted" 2>/dev/null | awk '!seen[$0]++' 2>/dev/null >"$staged/files" ||
        fail "$kept cannot be written (is the disk full?)"
    flush "$staged/files"
    mv -f "$staged/files" "$keeping/files" || fail "$kept cannot be written"
}

lines_on_extras() {
    [ -n "$extras" ] || return 0
    while read -r mode name place; do
        printf 'file %s %s\n' "$(cksum <"$(source_of "$name")")" "$place"
        folder=${place%/*}
        while [ ! -d "${folder:-/}" ]; do
            printf 'folder %s\n' "$folder"
            folder=${folder%/*}
        done
    done <<END
$extras
END
}

lines_still_true() {
    noted_down folder | while IFS= read -r folder; do
        [ ! -d "$folder" ] || printf 'folder %s\n' "$folder"
    done
    noted_down file | while read -r sum size place; do
        if is_still "$sum $size" "$place"; then printf 'file %s %s %s\n' "$sum" "$size" "$place"; fi
    done
}

# Beside its place, since share, bin and the module's folder may be of different file systems.
stage_extras() {
    [ -n "$extras" ] || return 0
    while read -r mode name place; do
        file=$(source_of "$name")
        if is_in_place "$name" "$place"; then continue; fi
        mkdir -p "${place%/*}" || fail "${place%/*} cannot be made"
        rm -f "$place.nss-mdns-new"
        { cp "$file" "$place.nss-mdns-new" && chmod "$mode" "$place.nss-mdns-new" && flush "$place.nss-mdns-new" &&
            same "$file" "$place.nss-mdns-new"; } || fail "$place cannot be written (is the disk full?)"
    done <<END
$extras
END
}

put_extras() {
    [ -n "$extras" ] || return 0
    while read -r mode name place; do
        if is_in_place "$name" "$place"; then continue; fi
        step "install $place"
        [ -n "$dry_run" ] || mv -f "$place.nss-mdns-new" "$place" || fail "$place cannot be replaced"
        [ -n "$dry_run" ] || flush "${place%/*}"
    done <<END
$extras
END
}

# "all" that was noted down and is still as it was put there, or what is "outdated": of another prefix than this one.
remove_extras() {
    while read -r sum size place; do
        [ -n "$place" ] || continue
        [ -n "$dry_run" ] || [ ! -e "$place.nss-mdns-new" ] || rm -f "$place.nss-mdns-new"
        is_still "$sum $size" "$place" || continue
        [ "$1" = all ] || ! is_wanted "$place" || continue
        step "remove $place"
        [ -n "$dry_run" ] || rm -f "$place" || fail "$place cannot be removed"
    done <<END
$(noted_down file)
END
    [ -z "$dry_run" ] || return 0
    # Of a folder and one in it, the inner one first; one that holds something stays.
    noted_down folder | sort -r | while IFS= read -r folder; do
        [ ! -d "$folder" ] || rmdir "$folder" 2>/dev/null
    done
}

# What a killed run has left of what it was about to put in place.
sweep_extras() {
    while read -r sum size place; do
        [ ! -e "$place.nss-mdns-new" ] || rm -f "$place.nss-mdns-new"
    done <<END
$(noted_down file)
END
    [ -z "$destdir" ] || while read -r mode name place; do
        [ ! -e "$place.nss-mdns-new" ] || rm -f "$place.nss-mdns-new"
    done <<END
$extras
END
}

# The lines on each "file" or "folder".
noted_down() {
    [ -z "$kept" ] || sed -n "s/^$1 //p" "$kept/files" 2>/dev/null
}

# The folders where something is to be removed by what is noted down in FOLDERS.
folders_of_extras() {
    printf '%s\n' "$1" | while IFS= read -r folder; do
        sed -n 's/^file [0-9]* [0-9]* //p' "$folder/nss-mdns-kept/files" 2>/dev/null
    done | while IFS= read -r place; do
        [ ! -e "$place" ] || printf '%s\n' "${place%/*}"
    done
}

# --- Debian: packages that come or are upgraded later put their files of these names elsewhere -------

uses_dpkg() {
    [ -s /var/lib/dpkg/status ] && command -v dpkg-divert >/dev/null
}

# Where /lib is a link to /usr/lib a package may name its files either way, and dpkg compares the names as written.
spellings() {
    printf '%s\n' "$libdir"
    top=${libdir#/usr/}
    [ "$top" = "$libdir" ] || [ ! -L "/${top%%/*}" ] || printf '%s\n' "/$top"
}

# `dpkg-divert ...` for each of the six names in each spelling. Never --rename: the files are moved here, so
# that no name is missing for even a moment.
each_diversion() {
    spellings | while IFS= read -r dir; do
        for name in $object $links; do
            dpkg-divert --quiet --local --no-rename --divert "$dir/nss-mdns-kept/$name" "$@" "$dir/$name" || exit 1
        done
    done
}

our_diversions() {
    spellings | while IFS= read -r dir; do
        dpkg-divert --list "$dir/libnss_mdns*" | grep -F "to $dir/nss-mdns-kept/"
    done
}

all_diverted() {
    [ "$(our_diversions | wc -l)" -eq "$(($(spellings | wc -l) * 6))" ]
}

need_diversions() {
    if ! uses_dpkg || all_diverted; then return 0; fi
    each_diversion --test --add >/dev/null || fail "dpkg does not let the names of the module be diverted"
}

divert_packages() {
    if ! uses_dpkg || all_diverted; then return 0; fi
    step "divert the six names in $libdir, so that dpkg puts packages' own files of these names in $kept"
    [ -n "$dry_run" ] || each_diversion --add || fail "dpkg-divert failed"
}

lift_diversions() {
    uses_dpkg || return 0
    [ -n "$(our_diversions)" ] || return 0
    step "lift the diversions of the six names in $libdir"
    [ -n "$dry_run" ] || each_diversion --remove || fail "dpkg-divert failed"
}

refresh_loader_cache() {
    command -v ldconfig >/dev/null || return 0
    step "run ldconfig"
    [ -n "$dry_run" ] || ldconfig ||
        echo "install.sh: ldconfig failed; in the usual folders the module is found all the same" >&2
}

# --- nsswitch.conf -----------------------------------------------------------------------------------

readonly nsswitch=/etc/nsswitch.conf

# The words of the hosts line as glibc reads them, one a line: offset in the file, length, word. Or one line
# "odd: why" when this script had better leave the file alone.
hosts_words() {
    LC_ALL=C awk -v newlines="$(tail -c 1 "$1" | wc -l)" '
        function odd(why) { print "odd: " why; strange = 1; exit }
        function is_action(text,    parts, n, k) {
            if (text !~ /^\[.*=.*\]$/) return 0
            text = toupper(substr(text, 2, length(text) - 2))
            gsub(/[ \t\r\f\v]*=[ \t\r\f\v]*/, "=", text)
            n = split(text, parts, /[ \t\r\f\v]+/)
            for (k = 1; k <= n; k++)
                if (parts[k] !~ /^(!?(SUCCESS|NOTFOUND|UNAVAIL|TRYAGAIN)=(RETURN|CONTINUE|MERGE))?$/) return 0
            return 1
        }
        { start = next_start; next_start += length($0) + 1 }
        !/^[ \t\r\f\v]*hosts[ \t\r\f\v]*:/ { next }
        {
            if (++count > 1) odd("it has more than one hosts line")
            found = NR
            match($0, /^[^:]*:/)
            at = RLENGTH
            rest = substr($0, at + 1)
            sub(/#.*/, "", rest)
            while (match(rest, /\[[^]]*\]|[^ \t\r\f\v[]+|\[/)) {
                word = substr(rest, RSTART, RLENGTH)
                if (word !~ /^[A-Za-z0-9_.+-]+$/ && !is_action(word))
                    odd("\"" word "\" on its hosts line is neither a service nor an action")
                if (word ~ /^\[/ && !words) odd("its hosts line begins with an action")
                if (word ~ /^\[/ && line[words] ~ /\[/)
                    odd("its hosts line has two actions in a row, and glibc reads no further than the first")
                line[++words] = (start + at + RSTART - 1) " " RLENGTH " " word
                at += RSTART + RLENGTH - 1
                rest = substr(rest, RSTART + RLENGTH)
            }
        }
        END {
            if (strange) exit
            if (!count) odd("it has no hosts line")
            if (!words) odd("its hosts line names no service")
            if (found == NR && newlines == 0) odd("no newline ends its hosts line, so glibc does not read it")
            for (i = 1; i <= words; i++) print line[i]
        }' "$1"
}

# What to do with FILE: "has SERVICE", "before OFFSET", "after OFFSET", or "odd: why".
insertion() {
    hosts_words "$1" | awk -v services="$services" '
        BEGIN { split(services, list, " "); for (i in list) ours[list[i]] = 1 }
        /^odd/ { print; decided = 1; exit }
        $3 in ours { print "has " $3; decided = 1; exit }
        $3 == "dns" || $3 == "resolve" { if (before == "") before = $1 }
        { end = $1 + $2 }
        END { if (!decided) print (before == "" ? "after " end : "before " before) }'
}

# FILE with our words in their place: every other byte is as it was.
with_words() {
    place=$(insertion "$1")
    case $place in
    before*) text="$words " ;;
    after*) text=" $words" ;;
    *) return 1 ;;
    esac
    head -c "${place#* }" "$1" && printf '%s' "$text" && tail -c "+$((${place#* } + 1))" "$1"
}

# FILE without SERVICE (otherwise mdns_minimal) and the action that follows it.
without_words() {
    place=$(hosts_words "$1" | awk -v service="${2:-mdns_minimal}" '
        $3 == service && !found { found = 1; from = $1; to = $1 + $2; next }
        found && !done && $3 ~ /^\[/ { to = $1 + $2; next }
        found && !done { to = $1; done = 1 }
        !found { previous = $1 + $2 }
        END { if (found) print (done ? from : previous) " " to }')
    [ -n "$place" ] || return 1
    head -c "${place% *}" "$1" && tail -c "+$((${place#* } + 1))" "$1"
}

# The hosts lines of two files, the second on standard input, as a diff shows them.
show_change() {
    echo "- $(grep '^[[:space:]]*hosts[[:space:]]*:' "$1" | tr -d '\r')"
    echo "+ $(grep '^[[:space:]]*hosts[[:space:]]*:' | tr -d '\r')"
}

# authselect writes the file anew at will, from its own profile and features.
is_authselects() {
    case $conf in
    /etc/authselect/*) return 0 ;;
    esac
    grep -q '^# Generated by authselect' "$conf"
}

name_nsswitch_files() {
    backup=$conf.before-nss-mdns new_conf=$conf.nss-mdns-new new_backup=$backup.nss-mdns-new
}

read_nsswitch() {
    conf=$(readlink -f "$nsswitch")
    [ -f "$conf" ] ||
        fail "$nsswitch is not there, or no regular file: the nsswitch.conf.example beside this script is one"
    name_nsswitch_files
    [ "$(tr -d '\000' <"$conf" | wc -c)" -eq "$(wc -c <"$conf")" ] || fail "$nsswitch is odd: it holds NUL bytes"
    plan=$(insertion "$conf")
    case $plan in
    odd*) fail "$nsswitch is $plan" ;;
    has*) return 0 ;;
    esac
    if is_authselects; then
        plan=authselect
    else
        need_writable "$(dirname "$conf")"
    fi
}

# `cp -a` keeps mode, owner, times and label; the copy's content is then written over by redirection, which keeps all
# but the times.
stage_nsswitch() {
    case $plan in has* | authselect) return 0 ;; esac
    rm -f "$new_backup" "$new_conf"
    { cp -a "$conf" "$new_backup" && cp -a "$conf" "$new_conf" && with_words "$new_backup" >"$new_conf" &&
        flush "$new_backup" && flush "$new_conf"; } || fail "$conf cannot be written anew (is the disk full?)"
}

change_nsswitch() {
    case $plan in
    has*) return 0 ;;
    authselect) tell_of_authselect && return 0 ;;
    esac
    step "change the hosts line of $conf, with the old file kept as $backup:"
    with_words "$conf" | show_change "$conf"
    [ -z "$dry_run" ] || return 0
    same "$conf" "$new_backup" || fail "$conf was changed by someone else meanwhile: run this again"
    mv -f "$new_backup" "$backup" || fail "$backup cannot be made"
    mv -f "$new_conf" "$conf" || { rm -f "$backup"; fail "$conf cannot be replaced"; }
    flush "$(dirname "$conf")"
}

tell_of_authselect() {
    echo "$nsswitch belongs to authselect and was left alone: to add the module to it, run"
    echo "    authselect enable-feature with-mdns4"
    echo "    authselect enable-feature with-mdns6"
}

# What the way back is: "back" (ours, untouched since), "same" (someone else has undone it already), "words" (changed
# since: only our words go), "left" (changed beyond that), "missing" (removed since), or nothing.
read_nsswitch_for_removal() {
    plan='' conf=$(readlink -f "$nsswitch")
    [ -n "$conf" ] || return 0
    name_nsswitch_files
    [ -f "$backup" ] || return 0
    if [ ! -f "$conf" ]; then
        plan=missing
        return
    fi
    if same "$conf" "$backup"; then
        plan=same
    elif [ "$(with_words "$backup" | cksum)" = "$(cksum <"$conf")" ]; then
        plan=back
    elif without_words "$conf" >/dev/null; then
        plan=words
    else
        plan=left
    fi
    need_writable "$(dirname "$conf")"
}

restore_nsswitch() {
    case $plan in
    back)
        step "bring back $conf from $backup:"
        show_change "$conf" <"$backup"
        [ -n "$dry_run" ] || mv -f "$backup" "$conf" || fail "$conf cannot be replaced"
        ;;
    words)
        step "take mdns_minimal off the hosts line of $conf, changed since the installation, and remove $backup:"
        take_words_off
        ;;
    same | left)
        step "remove $backup; $conf stays as it is"
        [ -n "$dry_run" ] || rm -f "$backup" || fail "$backup cannot be removed"
        ;;
    missing) echo "leave $backup: $nsswitch, as it was before the installation, is not there any more" ;;
    esac
}

take_words_off() {
    without_words "$conf" | show_change "$conf"
    [ -z "$dry_run" ] || return 0
    rm -f "$new_conf"
    { cp -a "$conf" "$new_conf" && without_words "$conf" >"$new_conf" && flush "$new_conf"; } ||
        fail "$conf cannot be written anew (is the disk full?)"
    mv -f "$new_conf" "$conf" || fail "$conf cannot be replaced"
    rm -f "$backup"
}

# --- Does a .local name resolve? ---------------------------------------------------------------------

# Prints what NAME is; if it is not found, `reason` tells why.
check_lookup() {
    if [ "$(elf_kind "$module")" != "$(elf_kind "$(command -v getent)")" ] && [ -e "$module" ]; then
        echo "lookup: getent is not here, or of another architecture, so no name was resolved"
        return 0
    fi
    own_name=$(uname -n)
    own_name=${own_name%%.*}.local
    name=${check_name:-$own_name}
    service=''
    [ ! -f "$conf" ] || service=$(insertion "$conf" | sed -n 's/^has //p')
    asked=${service:-mdns_minimal}
    resolves || return 1
    echo "lookup: $name is $found"
}

resolves() {
    reason=''
    look_up -s "$asked"
    found=$addresses
    if [ -z "$loaded" ]; then
        reason=$(why_not_loaded)
    elif [ "$(folder_of "$loaded")" != "$libdir" ]; then
        reason="glibc loads $loaded instead of the one in $libdir"
    elif [ -z "$service" ]; then
        reason="the hosts line of $nsswitch names none of $services"
    elif [ -z "$found" ]; then
        reason=$(why_not_found)
    else
        look_up
        [ -n "$addresses" ] || reason=$(why_not_reached)
    fi
    [ -z "$reason" ]
}

folder_of() {
    (cd -P "$(dirname "$1")" && pwd)
}

# `getent ahosts` with OPTIONS: the addresses it finds, and which file glibc loaded for the service. The loader's trace
# tells a module that is not there from one that finds nothing.
look_up() {
    output=$(LD_DEBUG=files,libs LC_ALL=C getent "$@" ahosts "$name" 2>&1)
    trace="^ *[0-9]+:	"
    addresses=$(printf '%s\n' "$output" | grep -E -v "$trace" |
        awk 'NF && !seen[$1]++ { printf "%s%s", comma, $1; comma = ", " }')
    loaded=$(printf '%s\n' "$output" | awk -v file="libnss_$asked.so.2" '
        index($0, "trying file=") && index($0, "/" file) { sub(/.*trying file=/, ""); tried = $0 }
        index($0, "file=" file " ") && /generating link map/ { print tried }')
}

why_not_loaded() {
    file=$libdir/libnss_$asked.so.2
    [ -e "$file" ] || { echo "$file is not there"; return; }
    reason=$(problem_of_loading "$file")
    [ -n "$reason" ] || reason="the loader does not look in $libdir"
    echo "glibc cannot load $file: $reason"
}

why_not_found() {
    if ! a_usable_interface; then
        echo "the module was loaded, but no network interface is up with multicast and an address"
    elif firewall-cmd -q --state 2>/dev/null && ! firewall-cmd -q --query-service=mdns; then
        echo "the module was loaded and asked, but nobody answered:" \
            "firewalld does not admit mDNS (firewall-cmd --add-service=mdns)"
    else
        echo "the module was loaded and asked, but nobody answered: is $name on this link, and is UDP port 5353 open?"
    fi
}

why_not_reached() {
    if [ -S /run/nscd/socket ]; then
        echo "$service finds it, but nscd does not ask it yet: restart nscd"
    else
        echo "$service finds it, but the hosts line of $nsswitch ends the search before it comes to $service"
    fi
}

# Up (1), not loopback (8), multicast (0x1000), with a carrier and an address of either family.
a_usable_interface() {
    for interface in /sys/class/net/*; do
        flags=$(cat "$interface/flags" 2>/dev/null) || continue
        [ $((flags & 0x1009)) -eq $((0x1001)) ] || continue
        [ "$(cat "$interface/carrier" 2>/dev/null)" = 1 ] || continue
        has_address "${interface##*/}" && return 0
    done
    return 1
}

has_address() {
    awk -v name="$1" '$1 == name || $NF == name { found = 1 } END { exit !found }' \
        /proc/net/route /proc/net/if_inet6 2>/dev/null
}

# --- --check: the hosts line --------------------------------------------------------------------------

# Something that keeps `.local` names from resolving, or that an installation would do otherwise.
mend() {
    to_mend=yes
    printf '%s: problem: %s\n' "$1" "$2"
}

explain_hosts() {
    if [ ! -f "$conf" ]; then
        mend hosts "$nsswitch is not there, or no regular file; nsswitch.conf.example beside this script is one"
        return
    fi
    if [ ! -r "$conf" ]; then
        mend hosts "$nsswitch cannot be read by this user, whose programs then do without it: chmod 644 $conf"
        return
    fi
    case $(stat -c %A "$conf") in
    ???????r*) ;;
    *) mend hosts "$nsswitch can be read by some users only, and the others' programs do without it: chmod 644 $conf" ;;
    esac
    case $(insertion "$conf") in
    odd*) mend hosts "$nsswitch is $(insertion "$conf"); write one line: hosts: files $words dns" ;;
    *) explain_line ;;
    esac
}

explain_line() {
    echo "hosts: $nsswitch has: $(grep '^[[:space:]]*hosts[[:space:]]*:' "$conf" | tr -d '\r' | tr -s '[:blank:]' ' ')"
    advice='write'
    if is_authselects; then advice='it is authselect that writes it (features with-mdns4, with-mdns6); wanted is'; fi
    while IFS= read -r line; do
        case $line in
        'mend '*) mend hosts "${line#mend }" ;;
        *) echo "hosts: $line" ;;
        esac
    done <<END
$(hosts_words "$conf" | judge_services)
END
    ! grep -q '^[[:space:]]*hosts[[:space:]]*:.*#' "$conf" || echo "hosts: note: glibc from 2.33 on takes # and what" \
        "follows for services too: put the remark on a line of its own"
}

# One line for each service, in glibc's order, then what is wrong with that order: "mend ...". An action in brackets
# changes what comes after one outcome of the service before it; without, SUCCESS ends the search and all else goes on.
judge_services() {
    LC_ALL=C awk -v services="$services" -v advice="$advice" '
        function act(i, text,    parts, n, k, pair, but, status) {
            gsub(/^\[|\]$/, "", text)
            gsub(/[ \t]*=[ \t]*/, "=", text)
            n = split(toupper(text), parts, " ")
            for (k = 1; k <= n; k++) {
                but = sub(/^!/, "", parts[k])
                split(parts[k], pair, "=")
                for (status in statuses) if ((status == pair[1]) != but) after[i, status] = pair[2]
            }
        }
        function ends(i, status) { return (i, status) in after && after[i, status] == "RETURN" }
        function asks_dns(i) { return service[i] ~ /^(dns|resolve)$/ }
        function family(name) { return name ~ /4/ ? "IPv4" : name ~ /6/ ? "IPv6" : "IPv4 and IPv6" }
        function what(name) {
            if (name in known) return known[name]
            if (!(name in ours)) return "another service"
            if (name ~ /_minimal$/)
                return "this module: .local names of two labels, link-local addresses; " family(name)
            return "this module: names that /etc/mdns.allow admits, without it .local names of two labels," \
                " addresses on the link; " family(name)
        }
        # A full service stays where it is, and its minimal one goes in front of whatever asks elsewhere.
        function wanted(    i, line, place, name) {
            name = first ? service[first] : "mdns_minimal"
            for (i = 1; i <= count && !place; i++)
                if (i == first || asks_dns(i) || (i < first && i != files && ends(i, "NOTFOUND"))) place = i
            if (place < count && name !~ /_minimal$/) name = name "_minimal"
            line = "hosts:"
            for (i = 1; i <= count; i++) {
                if (i == place) line = line " " name " [NOTFOUND=return]"
                if (i == first && (i == place || name == service[i])) continue
                line = line " " service[i] (i == files ? "" : actions[i])
            }
            return line (place ? "" : " " name " [NOTFOUND=return]")
        }
        function mend(why) { print "mend " why ": " advice ": " wanted() }
        BEGIN {
            split(services, list, " "); for (i in list) ours[list[i]] = 1
            split("SUCCESS NOTFOUND UNAVAIL TRYAGAIN", list, " "); for (i in list) statuses[list[i]] = 1
            known["files"] = "the names in /etc/hosts"
            known["dns"] = "the DNS servers of /etc/resolv.conf"
            known["resolve"] = "systemd-resolved"
            known["myhostname"] = "the name of this machine"
            known["mymachines"] = "containers of systemd-machined"
        }
        { word = $0; sub(/^[0-9]+ [0-9]+ /, "", word) }
        word ~ /^\[/ { actions[count] = actions[count] " " word; act(count, word); next }
        {
            service[++count] = word
            after[count, "SUCCESS"] = "RETURN"
            if (!first && word in ours) first = count
            if (word == "files") files = count
        }
        END {
            for (i = 1; i <= count; i++) {
                line = i ". " service[i] actions[i] ": " what(service[i])
                if (!(service[i] in ours) || i == count) print line
                else if (ends(i, "NOTFOUND")) print line "; a .local name that nobody on the link has ends the search"
                else print line "; a .local name that nobody on the link has goes on to the next"
            }
            if (!first) { mend("none of the services of the module is on the line"); exit }
            name = service[first]
            for (i = 1; i < first; i++) {
                if (ends(i, "NOTFOUND"))
                    mend(service[i] actions[i] " ends the search for .local names, so " name " is never asked")
                else if (asks_dns(i))
                    mend(service[i] " is asked for .local names before " name ", seldom knows them and may take long")
                else continue
                exit
            }
            if (first == count) exit
            if (!ends(first, "SUCCESS"))
                mend(name actions[first] " throws away what it has found")
            else if (ends(first, "UNAVAIL"))
                mend(name actions[first] " ends the search for all names that are not .local too")
            else if (name !~ /_minimal$/ && ends(first, "NOTFOUND"))
                print "note: " name actions[first] " also keeps the next service from naming addresses on the link;" \
                    " " name "_minimal does not"
            else if (!ends(first, "NOTFOUND"))
                print "note: .local names that nobody on the link has go on to " service[first + 1] \
                    "; if it does not serve them, " advice ": " wanted()
        }'
}

# --- --check: the files -------------------------------------------------------------------------------

explain_files() {
    if ! any_file; then
        mend files "the module is not installed: $libdir has none of its six files; sudo ./install.sh puts them there"
    else
        explain_object
        explain_links
        explain_loading
    fi
    explain_kept
    explain_extras
    explain_other_folders
}

any_file() {
    for name in $object $links; do
        if exists "$libdir/$name"; then return 0; fi
    done
    return 1
}

explain_object() {
    kind=$(elf_kind "$module") problem=''
    [ "$kind" != "$(elf_kind "$(command -v getent)")" ] || problem=$(problem_of_loading "$module")
    if ! exists "$module"; then
        mend files "$module is not there: install the module again"
    elif ! is_the_module "$module"; then
        mend files "$module is not this module ($(origin_of "$module")): install it"
    elif [ -n "$problem" ]; then
        mend files "$module cannot be loaded ($problem): install it again"
    elif is_installed && ! is_ours "$module"; then
        mend files "$module is not the object that this script installed ($(origin_of "$module")): install it again"
    elif [ -e "$libdir/libc.so.6" ] && [ "$kind" != "$(elf_kind "$libdir/libc.so.6")" ]; then
        mend files "$module is for $(kind_name "$kind"), and $libdir for $(kind_name "$(elf_kind "$libdir/libc.so.6")")"
    elif is_installed; then
        echo "files: $module, for $(kind_name "$kind"), as this script installed it"
    else
        echo "files: $module, for $(kind_name "$kind"), $(origin_of "$module")"
    fi
}

# One object with the functions of all six services: nobody else's.
is_the_module() {
    for service in $services; do
        grep -q "_nss_${service}_gethostbyname4_r" "$1" || return 1
    done
}

# By whichever package manager is here.
origin_of() {
    if uses_dpkg; then
        dpkg-query -S "$1" "${1#/usr}" 2>/dev/null |
            sed '/^diversion by /d; /^local diversion /d; s/: .*//; s/^/of the package /; q'
    elif command -v rpm >/dev/null; then
        rpm -qf --queryformat 'of the package %{NAME}\n' "$1" 2>/dev/null | grep '^of'
    elif command -v pacman >/dev/null; then
        pacman -Qqo "$1" 2>/dev/null | sed 's/^/of the package /'
    fi | grep . || echo "of no package"
}

kind_name() {
    case $1 in
    0101*0300) echo i386 ;;
    02013e00) echo x86-64 ;;
    01013e00) echo x32 ;;
    0101*2800) echo ARM ;;
    0201b700) echo AArch64 ;;
    0201f300) echo RISC-V ;;
    '') echo "no machine at all" ;;
    *) echo "another machine ($1)" ;;
    esac
}

explain_links() {
    right=''
    for name in $links; do
        if ! exists "$libdir/$name"; then
            mend files "$libdir/$name is not there: install the module again"
        elif [ -f "$module" ] && same "$module" "$libdir/$name"; then
            right="$right $name"
        else
            mend files "$libdir/$name does not lead to $object ($(origin_of "$libdir/$name")): install the module again"
        fi
    done
    [ -z "$right" ] || echo "files:$right lead to it"
}

# A name without a dot is none that the module asks the network for.
explain_loading() {
    if [ -n "$problem" ]; then return 0; fi
    if [ "$(elf_kind "$module")" != "$(elf_kind "$(command -v getent)")" ]; then
        echo "files: which of them glibc loads was not tried: getent is not here, or of another architecture"
        return
    fi
    name=nowhere right=''
    for asked in $services; do
        look_up -s "$asked"
        if [ -n "$loaded" ] && [ "$(folder_of "$loaded")" = "$libdir" ]; then
            right="$right $asked"
        elif [ -n "$loaded" ]; then
            mend files "glibc loads $loaded for $asked, instead of the one in $libdir: remove it"
        elif [ -e "$libdir/libnss_$asked.so.2" ]; then
            mend files "$(why_not_loaded)"
        fi
    done
    [ -z "$right" ] || echo "files: glibc loads them for$right"
}

explain_kept() {
    [ ! -d "$staged" ] || mend files "$staged is left of a run that was ended: install or --uninstall again"
    is_installed || return 0
    for file in "$kept"/*; do
        case ${file##*/} in
        objects | files | '*') ;;
        *) echo "files: $file is of another package, and comes back with --uninstall" ;;
        esac
    done
    uses_dpkg || return 0
    if all_diverted; then
        echo "files: dpkg puts packages' own files of these six names in $kept"
    else
        mend files "dpkg diverts only $(our_diversions | wc -l) of the module's names: install it again"
    fi
}

# What was noted down when they were put there; a package's own are the package manager's affair.
explain_extras() {
    while IFS= read -r place; do
        [ -n "$place" ] || continue
        if ! exists "$place"; then
            mend files "$place is not there: install the module again"
        elif is_ours_elsewhere "$place"; then
            echo "files: $place, as this script installed it"
        else
            echo "files: $place was changed since this script installed it"
        fi
    done <<END
$(noted_down file | cut -d' ' -f3- | sort -u)
END
}

# Programs of another architecture have a glibc of their own.
explain_other_folders() {
    libc_folders | grep -v -x -F "$libdir" | while IFS= read -r folder; do
        exists "$folder/$object" ||
            echo "files: $folder, for $(kind_name "$(elf_kind "$folder/libc.so.6")"), has no module: programs of that" \
                "architecture do without it"
    done
}

# --- --check: the settings, the interfaces and the firewall --------------------------------------------

# Its lines as they are: they are the module's own judgement.
explain_the_rest() {
    program=$(program_to_ask)
    if [ -z "$program" ]; then
        mend settings "nss-mdns is not installed, so settings, interfaces and firewall were not looked at"
        return
    fi
    "$program" check
    status=$?
    case $status in
    0) ;;
    1) to_mend=yes ;;
    *) mend settings "$program ended with status $status" ;;
    esac
}

# The one that was installed with the module, or one that this system or this folder has.
program_to_ask() {
    {
        noted_down file | cut -d' ' -f3- | grep '/nss-mdns$'
        command -v nss-mdns
        printf '%s\n' "$PWD/nss-mdns" "${PWD}/${built%/*}/nss-mdns"
    } | while IFS= read -r candidate; do
        [ -x "$candidate" ] || continue
        printf '%s\n' "$candidate"
        break
    done
}

main "$@"
