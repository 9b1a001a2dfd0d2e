# shellcheck shell=bash disable=SC2154 # the scripts set these variables
# Steps that are run for several names, each with its own log, and the table of their outcomes. tests/arches and
# tests/releases source this file. They set `folder` and `log` to absolute paths and `steps` to the names of the steps,
# and define a function step_NAME for each of them, and `applies STEP`, which says whether to run a step.

# The first run creates $folder, $log and the table. A second run at the same time would remove the files of the first.
open_table() {
    mkdir -p "$folder" "$log"
    touch "$folder/table"
    exec 9<"$folder"
    flock -n 9 || die "another run uses ${folder#"$PWD/"}"
}

# Runs a step for a name, and adds a line to the table: name, step, outcome and seconds. A step ends at the first command
# that fails. The shell would ignore that if the step were the condition of an `if`.
outcome() {
    local seconds=$SECONDS result=-
    if applies "$2"; then
        set +e
        (
            set -e
            "step_$2"
        ) >"$log/$1-$2" 2>&1
        case $? in
        0) result=ok ;;
        *) result=failed ;;
        esac
        set -e
    fi
    echo "$1 $2 $result $((SECONDS - seconds))" | tee -a "$folder/table"
}

# Prints the outcomes for these names, including those of earlier runs. `?` is a step that was interrupted.
print_table() {
    local name
    for name; do grep "^$name " "$folder/table" || true; done | awk -v steps="$steps" '
        function print_row(    i) {
            if (name == "") return
            printf format, name
            for (i = 1; i <= count; i++) printf " " format, step[i] in outcome ? outcome[step[i]] : "?"
            print ""
            delete outcome
        }
        BEGIN {
            count = split(steps, step)
            for (i = 1; i <= count; i++) if (length(step[i]) > width) width = length(step[i])
            format = "%-" (width < 8 ? 8 : width) "s"
            printf format, ""
            for (i = 1; i <= count; i++) printf " " format, step[i]
            print ""
        }
        $1 != name { print_row(); name = $1 }
        { outcome[$2] = $3 }
        END { print_row() }'
}

# Fails if a step failed, in this run or in an earlier one that the table still shows.
check_table() {
    ! grep -q ' failed ' "$folder/table" || die "failed: the output of each step is in ${log#"$PWD/"}"
}
