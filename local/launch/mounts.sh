#!/bin/sh
# Gives a mesh its own /run, in the mount namespace it was started in:
#   mounts.sh PROGRAM CACHE    CACHE: a folder to keep compiled JavaScript in, or nothing to keep none
set -eu
program=$1
cache=$2

# What is mounted here belongs to others, who could not take it away while this mesh holds it.
umount --recursive /run/netns 2>/dev/null || :
mount -t tmpfs -o mode=0755,nosuid,nodev heddle /run
umask 022
mkdir -p /run/netns /run/lock /run/heddle/program /run/heddle/cache /run/heddle/hosts /run/heddle/public
mkdir -m 0700 /run/heddle/control-plane

# Mount options that the file system insists on (nodev, noexec...) must be named again, or an ordinary user is refused.
options=$(findmnt -n -o VFS-OPTIONS --target "$program" | sed 's/^rw/ro/')
echo "$options"

# Entry by entry: a clone that is closed to others is readable through this path, which does not pass its own folder.
for source in "$program"/*; do
  target=/run/heddle/program/${source##*/}
  if [ -d "$source" ]; then mkdir "$target"; else : > "$target"; fi
  mount --rbind "$source" "$target"
  mount -o "remount,bind,$options" "$target"
done
[ -z "$cache" ] || { mkdir -p "$cache" && chmod 0755 "$cache" && mount --bind "$cache" /run/heddle/cache; }
