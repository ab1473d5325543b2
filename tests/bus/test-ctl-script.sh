#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# quiescectl script, against the real quiesced on a private bus, with the test provider's volumes, which are directories
# here, and test writers: what writers are sent, what a script leaves when it fails, what it says. All in a mount
# namespace of its own. With real volumes: tests/vm/test-script.sh.
[ "${1:-}" = inside ] || exec unshare --mount "$0" inside
# shellcheck source=tests/bus/ctl-functions.sh
. "$(dirname "$0")/ctl-functions.sh"

start_all
cd "$work" || exit
for volume in one two; do
        rm "provider/volumes/$volume"
        mkdir "provider/volumes/$volume"
        echo "hello of $volume" > "provider/volumes/$volume/letter"
done
mkdir look look-too
for writer in good other; do
        volume=one
        [ $writer = good ] || volume=two
        printf '[Writer]\nExec=%s log=%s\n script=%s\n component=filegroup::files:s:%s\n component=filegroup:files:part:r:%s\nUser=%s\n' \
                "$build/quiesce-test-writer" "$work/log" "$work/$writer.script" "$work/provider/volumes/$volume" \
                "$work/provider/volumes/$volume" "$(id -un)" > "writers.d/$writer.writer"
        : > "$writer.script"
done
kill "${pids[1]}" && wait "${pids[1]}"
start_quiesced

# A program that tells what it sees.
cat > copy <<'END'
#!/bin/sh
env | grep -E '^(Srv|Two|Where|VSS_SHADOW_)' | sort > copied.env
cat look/letter > copied
echo "$#:$*"
exit "${STATUS:-0}"
END
chmod +x copy
is_mounted() { grep -q -F " $work/$1 " /proc/self/mountinfo; }
is_not_mounted() { ! is_mounted "$1"; }
# What a writer was sent, in one line.
events() { awk -v writer="$1" '$1 == writer { printf "%s ", $2 }' log; }
events_are() { [ "$(events "$1")" = "${2:+$2 }" ] || { cat log; return 1; }; }
sets_are() { is "$1" '.sets | length' list sets --json; }
sessions_are() { is "$1" '.sessions | length' list sessions --json; }
same() { [ "$1" = "$2" ] || { printf '%s\n' "expected: $1" "actual:   $2"; return 1; }; }
# script LINE…: as a file
script() {
        printf '%s\n' "$@" > script.dsh
        : > log
        rm -f copied copied.env
        ctl script script.dsh > output 2>&1
        set -- $?
        cat output
        return "$1"
}
# Ids, times and durations that differ each time.
anonymous() {
        local id n=0
        cp "$1" "$1.anonymous"
        while read -r id; do
                sed -i "s/$id/ID-$((++n))/g" "$1.anonymous"
        done < <(grep -o -E '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' "$1" | awk '!seen[$0]++')
        sed -E -e 's/20[0-9-]+T[0-9:.]+Z/TIME/' -e 's/20[0-9-]+ [0-9:]{8}/TIME/' "$1.anonymous"
}

whole="identify prepare-for-backup prepare-for-snapshot freeze thaw post-snapshot"
lines=("# DiskShadow script file" "Set Context persistent" "set metadata $work/x.doc" "begin backup"
        "add volume test:one alias Srv" "create" "expose %Srv% ./look" "exec ./copy \"a b\" %SRV% 100%%" "unexpose %Srv%"
        "list shadows set %VSS_SHADOW_SET%" "end backup" "delete shadows set %VSS_SHADOW_SET%")
printf "%s\n" "${lines[@]}" > script.dsh
ctl script script.dsh > said.out 2> said.err
check "a script for Windows, with names of this machine, ends well" test $? -eq 0
check "its writer was sent a backup's events" events_are good "$whole backup-complete backup-shutdown"
check "of type full" awk '/ freeze / && !/type=full/ { exit 1 }' log
check "with its components, of which it was told that they were copied" grep -q 'good backup-complete .*component=/files\[|||1\]' log
check "and the outcome is completed" grep -q 'good backup-shutdown .* completed released ' log
check "a writer whose data is elsewhere got nothing" events_are other "identify"
check "exec saw the snapshot" grep -q 'hello of one' copied
check "and the aliases" same "Srv VSS_SHADOW_1 VSS_SHADOW_SET" "$(sed 's/=.*//' copied.env | xargs)"
check "which have the snapshot's id" same "$(sed -n 's/^Srv=//p' copied.env)" "$(sed -n 's/^VSS_SHADOW_1=//p' copied.env)"
check "it is not exposed any more" is_not_mounted look
check "the set was deleted" sets_are 0
check "the session is gone" sessions_are 0
check "the document is of that backup" grep -q -F "$(sed -n 's/^VSS_SHADOW_SET=//p' copied.env)" x.doc
check "and readable for its owner alone" same 600 "$(stat -c %a x.doc)"
cat > expected.out <<'END'
Alias Srv for snapshot ID ID-1 set as environment variable.
Alias VSS_SHADOW_SET for snapshot set ID ID-2 set as environment variable.
3:a b ID-1 100%
ID   VOLUME   SIZE PROVIDER STATE   FULL% CREATED             SET
ID-1 test:one   0B test     created     0 TIME ID-2
END
anonymous said.out | sed 's/^ID  *VOLUME/ID   VOLUME/' > actual.out
check "what it prints is as expected" diff expected.out actual.out
cat > expected.err <<END
quiescectl: opening a backup session
quiescectl: gathering writers
quiescectl: starting a snapshot set
quiescectl: adding the volumes
quiescectl: preparing the writers
quiescectl: making the snapshot set
quiescectl: snapshot set ID-1 made at TIME, application-consistent
quiescectl: snapshot ID-2 is exposed at ./look
quiescectl: running ./copy
quiescectl: telling the writers that the backup is complete
quiescectl: ID-1: 1 snapshot deleted
quiescectl: releasing the session
END
anonymous said.err > actual.err
check "what it tells is as expected" diff expected.err actual.err

# What is on the way of "create".
check "without begin backup it is a copy" script "add volume test:one" create
check "of which no writer is told that it is complete" events_are good "$whole backup-shutdown"
check "its type is copy" awk '/ freeze / && !/type=copy/ { exit 1 }' log
check "a volatile set goes with the script" sets_are 0
check "two volumes" script "add volume test:two alias Two" "add volume test:one" create "exec ./copy"
check "are one set of both" events_are other "$whole backup-shutdown"
check "numbered in their order" same "VSS_SHADOW_1" "$(awk -F= -v two="$(sed -n 's/^Two=//p' copied.env)" \
        '$2 == two && $1 != "Two" { print $1 }' copied.env)"
check "nowriters asks none" script "set context persistent nowriters" "begin backup" "add volume test:one" create \
        "end backup" "delete shadows id %VSS_SHADOW_1%"
check "so none is sent anything" events_are good ""
check "writer exclude leaves one out" script "add volume test:one" "writer exclude good" create
check "which gets nothing at all" events_are good ""
check "a component is left out by itself" script "add volume test:one" "writer exclude good:files" create
check "and its writer freezes all the same" awk '/ post-snapshot / { n++; if (/component=/) exit 1 } END { exit n != 1 }' log
fails "a writer to leave out that there is not is told of" 1 'script.dsh:1: writer exclude: nobody is no writer here' \
        script "writer exclude nobody" "add volume test:one" create "exec false"
check "writer verify" script "writer verify good" "writer verify good:files/part" "add volume test:one" create
fails "of a writer that there is not" 1 'script.dsh:2: writer verify: nobody is no writer' \
        script "add volume test:one" "writer verify nobody" create
check "fails before anything was prepared" events_are good identify
fails "of one that is left out" 1 "script.dsh:1: writer verify: good does not take part: 'writer exclude'" \
        script "writer verify good" "writer exclude good" "add volume test:one" create
fails "of one whose data is elsewhere" 1 'script.dsh:1: writer verify: other does not take part: none of its data' \
        script "writer verify other" "add volume test:one" create
check "fails before anything was frozen" events_are good "identify prepare-for-backup abort backup-shutdown"
fails "of a component that there is not" 1 'verify: good:none is no component' \
        script "writer verify good:none" "add volume test:one" create
check "all of these have left nothing" sets_are 0
fails "a volume that is none" 1 'script.dsh:2: add volume: test:none: ' script "add volume test:one" "add volume test:none" create
fails "a provider that is none" 1 'script.dsh:1: add volume: test:one: ' script "add volume test:one provider none" create
echo "freeze good fail NonRetryable not-now" > good.script
fails "a writer that vetoes" 1 'writer good failed.*not-now' script "set context persistent" "add volume test:one" create "exec ./copy"
check "is told with the line" says 'quiescectl: script.dsh:3: create: it failed, and the script ends here'
check "nothing behind it is done" test ! -e copied
check "and nothing is left" sets_are 0
: > good.script
check "no session either" sessions_are 0

# When something fails later.
STATUS=3 fails "a program that fails" 1 'script.dsh:5: exec: ./copy ended with 3' \
        script "begin backup" "add volume test:one alias Srv" create "expose %Srv% ./look" "exec ./copy" "end backup"
check "ends the script" events_are good "$whole backup-shutdown"
check "whose backup is aborted" grep -q 'good backup-shutdown .* aborted ' log
check "a volatile set is gone then" sets_are 0
check "and mounted no more" is_not_mounted look
check "the program had seen it" grep -q hello copied
fails "a persistent set stays then" 1 'persistent and stays: .quiescectl delete [0-9a-f-]+' \
        script "set context persistent" "add volume test:one" create "expose %VSS_SHADOW_1% ./look" "exec false"
check "as it was" is_mounted look
check "and another script can delete it" script "delete shadows exposed look"
check "with what was mounted" is_not_mounted look
check "it is gone" sets_are 0
fails "a program that dies" 1 'exec: sh died of SIGKILL' script 'exec sh -c "kill -9 $$"'
# shellcheck disable=SC2016 # sh's
printf 'echo run by sh: "$1"\n' > plain; chmod +x plain
check "a file without #! is run by sh, as everywhere" script "exec ./plain it"
check "with its arguments" grep -q -x 'run by sh: it' output
printf '#!/none\n' > nothing; chmod +x nothing
fails "a program that cannot be run" 1 'exec: ./nothing cannot be run: No such file' script "exec ./nothing"

# Before anything is done.
fails "break by a provider that cannot" 1 'Provider test.*cannot do this' \
        script "set context persistent nowriters" "add volume test:one" create "break writable %VSS_SHADOW_SET%"
fails "revert likewise" 1 'Provider test.*cannot do this' script "revert {$(ctl list sets --json | jq -r '.sets[0].id')}"
fails "revert of a volatile set" 1 'goes with its session; this can be done with a persistent one' \
        script "add volume test:one" create "revert %VSS_SHADOW_1%"
fails "revert of one of several" 1 'script.dsh:5: revert: .* is one of 2 snapshots of a set, .* reverts all their volumes' \
        script "set context persistent nowriters" "add volume test:one" "add volume test:two" create "revert %VSS_SHADOW_2%"
check "sets that stayed are deleted" script "delete shadows all"
fails "revert of what is not there" 1 'there is no snapshot, set or session' script "revert {00000000-0000-0000-0000-000000000001}"
fails "what is not supported" 1 'script.dsh:3: mask: it is not supported \(NotSupported\).*nothing was done' \
        script "add volume test:one" create "mask %VSS_SHADOW_SET%"
fails "a program that there is not" 1 'script.dsh:3: exec: ./none: No such file.*; nothing was done' script "add volume test:one" create "exec ./none"
fails "a file that is not executable" 1 'exec: ./x.doc: it is not executable' script "add volume test:one" create "exec ./x.doc"
fails "a name that is not in PATH" 1 'exec: copy: it is nowhere in PATH' script "add volume test:one" create "exec copy"
fails "a directory that there is not" 1 'expose: ./none: No such file' script "add volume test:one" create "expose %VSS_SHADOW_1% ./none"
fails "a folder for the document that there is not" 1 'set metadata: none/x.doc: its directory' \
        script "set metadata none/x.doc" "add volume test:one" create
fails "a document that there is not" 1 'load metadata: none.doc: No such file' script "load metadata none.doc" "begin restore"
fails "a path that there is not" 1 'script.dsh:1: add volume: /none: No such file' script "add volume /none" create
fails "a variable without a value" 1 'script.dsh:2: expose: %Srv% has no value' script "add volume test:one" 'expose %Srv% ./look'
fails "a file that there is not" 1 'none.dsh: No such file' ctl script none.dsh
fails "no file" 1 'one FILE is needed' ctl script
fails "another machine" 1 'ssh elsewhere quiescectl script FILE' ctl script -H elsewhere x
check "nothing of that was done" test ! -s log
printf 'set context persistent\nadd volume test:one\ncreate\n' > script.dsh
check "a script is checked alone" ctl script --dry-run script.dsh
check "and nothing was done" sets_are 0
fails "what is wrong is found there, too" 1 '^quiescectl: standard input:1: dance: there is no such verb' ctl script --dry-run - <<< dance

# Restores.
: > log
fails "a backup without components" 1 'nothing to restore' script "set metadata y.doc" "add volume test:one" "writer exclude good:files" \
        create reset "load metadata y.doc" "begin restore"
check "a backup" script "set metadata x.doc" "set context persistent" "begin backup" "add volume test:one alias Srv" create "end backup"
id=$(json '.snapshots[0].id' list --json)
check "is restored" script "load metadata x.doc" "writer verify good" "begin restore" "expose %Srv% ./look" "exec ./copy" "unexpose look" "end restore"
check "as its writer was told" events_are good "identify pre-restore post-restore session-closed"
check "with what was restored" grep -q 'good post-restore .*component=/files\[|all|' log
check "the aliases came from the document" grep -q -x "Srv=$id" copied.env
check "the other writer was not concerned" events_are other identify
check "a simulated one" script "load metadata x.doc" "simulate restore"
check "tells no writer" events_are good identify
STATUS=1 fails "one whose program fails" 1 'script.dsh:3: exec: ./copy ended with 1' script "load metadata x.doc" "begin restore" "exec ./copy" "end restore"
check "is not completed" grep -q 'good session-closed .* not-completed ' log
check "and there is no PostRestore" events_are good "identify pre-restore session-closed"
fails "one that does not end" 0 "script.dsh:2: begin restore: .*no 'end restore'" script "load metadata x.doc" "begin restore"
echo "pre-restore good fail NonRetryable it-is-running" > good.script
fails "a writer that does not make way" 1 'script.dsh:2: begin restore: writer good failed PreRestore: NonRetryable: it-is-running' \
        script "load metadata x.doc" "begin restore" "exec ./copy" "end restore"
check "nothing is put back then" test ! -e copied
: > good.script
fails "all left out" 1 'nothing to restore: .* and is not left out' script "load metadata x.doc" "writer exclude good" "begin restore"
fails "a writer that was not backed up" 1 'verify: other is no writer that takes part' script "load metadata x.doc" "writer verify other" "begin restore"
fails "an alias that the document has not" 1 'exec: %Nothing% has no value: no alias' script "load metadata x.doc" 'exec echo %Nothing%'
echo '{' > broken.doc
fails "what is no document" 1 'broken.doc is no document of a backup: line' script "load metadata broken.doc"
echo '{}' > broken.doc
fails "what is another" 1 'begin restore: cannot open a restore session' script "load metadata broken.doc" "begin restore"

# Snapshots, whoever made them.
check "what the script has exposed it deletes" script "set context persistent" "add volume test:two" create "expose %VSS_SHADOW_1% ./look-too" \
        "delete shadows set %VSS_SHADOW_SET%"
check "with where it was" is_not_mounted look-too
check "what others have not" ctl mount "$id" look-too
fails "is mounted, and stays" 1 'script.dsh:1: delete shadows: .* is mounted; unmount it first' script "delete shadows id $id"
check "until it is unexposed" script "unexpose ./look-too"
check "the snapshot is still there" is "$id" '.snapshots[0].id' list --json
for _ in 1 2; do ctl create --quiet test:two > /dev/null; done
oldest=$(json '[.snapshots[] | select(.volume == "test:two")] | sort_by(.created)[0].id' list --json)
check "the oldest of a volume" script "delete shadows oldest test:two"
check "goes, and no other" is "2 false" "\"\\(.snapshots | length) \\(any(.snapshots[]; .id == \"$oldest\"))\"" list --json
check "all of a volume" script "delete shadows volume test:two"
check "go" is "$id" '[.snapshots[].id] | join(" ")' list --json
check "a volume is named by an alias" script "add volume test:two alias Two" "set context persistent" create "delete shadows volume %Two%"
check "for its snapshot" is "$id" '[.snapshots[].id] | join(" ")' list --json
check "snapshots and writers are listed" script "list shadows id {$id}" "list writers" "list providers"
check "as list does" grep -q -E "^$id +test:one" output
check "and the writers" grep -q '^good ' output
fails "a path that is none" 1 'delete shadows: /no/where is no path here' script "delete shadows oldest /no/where"
fails "an id of nothing" 1 'script.dsh:1: delete shadows: 00000000' script "delete shadows id {00000000-0000-0000-0000-000000000001}"
fails "a directory where nothing is exposed" 1 'look: nothing is mounted there' script "unexpose look"
check "one script, two sets" script "set context persistent" "add volume test:one alias Srv" create reset \
        "add volume test:two alias Srv" create "exec ./copy" "list shadows all"
check "the second is volatile, as nothing else was set" is 2 '.sets | length' list sets --json
check "each with its events" events_are good "$whole backup-shutdown identify"
ctl begin --quiet --foreground test:one > begun 2> begun.err &
pids+=($!)
check "somebody else has a set" await sets_are 3
check "all" script "delete shadows all"
check "but what others use" grep -q -E 'delete shadows: .* stays: session .* uses it' output
check "are gone" sets_are 1
ctl end "$(head -1 begun)" > /dev/null 2>&1
check "until they end" await sets_are 0

# Who ends it.
printf '%s\n' "begin backup" "add volume test:one" create "exec sh -c \"echo there > there; exec sleep 300\"" "end backup" > script.dsh
: > log
timeout 100 "$build/quiescectl" script - < script.dsh > output 2>&1 &
script_pid=$!
check "a program is running" await test -e there
kill $script_pid
wait $script_pid
check "a signal ends the program and the script" test $? -eq 143
check "which says so" grep -q 'standard input:4: exec: interrupted by SIGTERM' output
check "the backup was given up" grep -q 'good backup-shutdown .* aborted ' log
check "nothing is left" sets_are 0
check "verbose tells each command" grep -q -x -e '-> create' <(script "set verbose on" "add volume test:one" create 2>&1)
check "and how long what took" grep -q 'all writers: first Freeze' <(script "set verbose on" "add volume test:one" create 2>&1)
check "off tells results alone" same 2 "$(script "set verbose off" "add volume test:one" create 2>&1 | wc -l)"
check "add lists" script "add volume test:one alias Srv" "add alias Where %PATH%" add
check "volumes" grep -q -x 'Volume test:one alias Srv' output
check "and aliases" grep -q -x "Alias Where = $PATH" output
kill "${pids[1]}" && wait "${pids[1]}"
fails "without quiesced" 1 'quiesced is not there' script "add volume test:one" create
[ $failures -eq 0 ]
