#!/bin/sh
# The first process of a pid namespace. The kernel shows it only the signals it handles, and gives it every orphan: so it
# passes signals on to the program it runs, and collects whatever ends. It ends with the program, as the program did.
child=
early=
pass() {
  if [ -n "$child" ]; then kill "-$1" "$child"; else early=$1; fi
}
for signal in TERM INT HUP QUIT USR1 USR2; do
  trap "pass $signal" "$signal"
done
# Shells connect what runs in the background with /dev/null, unless they are told something else.
exec 3<&0
"$@" <&3 3<&- &
child=$!
exec 3<&-
# Shells announce which signal ended a child; the log belongs to the child.
exec 2>/dev/null
[ -z "$early" ] || pass "$early"
# A signal interrupts the waiting, so that it has to begin again; it ends when the child is gone.
while :; do
  wait "$child"
  status=$?
  kill -0 "$child" || exit "$status"
done
