#!/bin/sh
# Makes the surroundings of a container and becomes its first process. Runs in new mount, uts, ipc and pid namespaces and in
# the pod's network namespace, still with every privilege of the runtime. Descriptor 3 goes to the runtime: first the pid by
# which it knows this process, then what went wrong, or "started".
#
#   POD_HOSTNAME   POD_HOSTS (the file to show as /etc/hosts)   POD_DIRECTORY (to work in)   POD_NODE (folder of the node
#   program)   POD_PROGRAM (the project's own tree)   POD_HIDDEN (the state folders of all meshes)   POD_BIND_OPTIONS (mount
#   options of POD_PROGRAM)   POD_TOOLS (the PATH of this script)
#
# Everything else in the environment is the container's.
set -eu
umask 022
exec 4>&2 2>&3
container_path=$PATH
PATH=$POD_TOOLS
read -r pid rest < /proc/self/stat
echo "pid $pid" >&3

hostname "$POD_HOSTNAME"
mount --bind "$POD_HOSTS" /etc/hosts

# A fresh /run: without the sockets and the namespaces of the mesh, which would stay alive with this container.
init=$(cat "$POD_PROGRAM/local/containers/init.sh")
umount --recursive /run
mount -t tmpfs -o mode=0755,nosuid,nodev run /run
mkdir -p /run/node /run/lock
mount --bind "$POD_NODE" /run/node
mount -o "remount,bind,$POD_BIND_OPTIONS" /run/node
echo "$init" > /run/init.sh

# No DNS server can be reached from here. Asking nobody fails at once, asking the machine's own would take seconds.
echo '# a local mesh has no DNS server; names of services are in /etc/hosts' > /run/resolv.conf
[ ! -e /etc/resolv.conf ] || mount --bind /run/resolv.conf /etc/resolv.conf

# The program's own files stay as they are, and the keys of the meshes out of sight.
mount --rbind "$POD_PROGRAM" "$POD_PROGRAM"
mount -o "remount,bind,$POD_BIND_OPTIONS" "$POD_PROGRAM"
mount -t tmpfs -o mode=0000,ro hidden "$POD_HIDDEN"

# Only the devices that every program may use: a disk would show what files hide.
mkdir /run/dev
mount -t tmpfs -o mode=0755,nosuid dev /run/dev
for device in null zero full random urandom tty; do
  [ -e "/dev/$device" ] || continue
  : > "/run/dev/$device"
  mount --bind "/dev/$device" "/run/dev/$device"
done
mkdir /run/dev/pts /run/dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts /run/dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev shm /run/dev/shm
ln -s pts/ptmx /run/dev/ptmx
ln -s /proc/self/fd /run/dev/fd
ln -s fd/0 /run/dev/stdin
ln -s fd/1 /run/dev/stdout
ln -s fd/2 /run/dev/stderr
mount --move /run/dev /dev
rmdir /run/dev

# Only this container's processes, and none of the kernel's switches.
mount -t proc -o nosuid,nodev,noexec proc /proc
for path in /proc/sys /proc/sysrq-trigger /proc/irq /proc/bus; do
  [ ! -e "$path" ] || { mount --bind "$path" "$path" && mount -o remount,bind,ro,nosuid,nodev,noexec "$path"; }
done
mount -o remount,bind,ro,nosuid,nodev,noexec /sys 2>/dev/null || :

cd "$POD_DIRECTORY"
unset OLDPWD POD_HOSTNAME POD_HOSTS POD_DIRECTORY POD_NODE POD_PROGRAM POD_HIDDEN POD_BIND_OPTIONS POD_TOOLS
PATH=$container_path
echo started >&3
exec 2>&4 3>&- 4>&-
exec "$@"
