#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Cuts the power under a writing log on a real ext4, by FS_IOC_SHUTDOWN without a journal flush, and
# looks whether everything acknowledged is there after a remount. Needs root and a loop device;
# elsewhere it says why not and exits with 77 (skipped).
#
# usage: power_cut_fs.sh PROGRAM [ROUNDS]

set -eu
program=$1
rounds=${2:-5}

skip() {
    echo "skipped: $*"
    exit 77
}

[ "$(id -u)" = 0 ] || skip "mounting a file system needs root"
for tool in mkfs.ext4 mount umount; do
    command -v "$tool" >/dev/null 2>&1 || [ -x "/usr/sbin/$tool" ] || skip "no $tool"
done
PATH=$PATH:/usr/sbin:/sbin

folder=$(mktemp -d)
writer=
cleanup() {
    if [ -n "$writer" ]; then kill -9 "$writer" 2>/dev/null || true; fi
    umount "$folder/mount" 2>/dev/null || true
    rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

truncate -s 64M "$folder/disk"
mkfs.ext4 -q -F "$folder/disk" >/dev/null 2>&1 || skip "mkfs.ext4 failed"
mkdir "$folder/mount"
mount -o loop "$folder/disk" "$folder/mount" 2>/dev/null || skip "loop mounts are not permitted"

round=1
while [ "$round" -le "$rounds" ]; do
    "$program" write "$folder/mount/wal" "$folder/ack" &
    writer=$!
    sleep "0.$((round * 2))"
    "$program" cut "$folder/mount" || skip "the kernel does not offer FS_IOC_SHUTDOWN"
    wait "$writer" || {
        echo "the writer failed otherwise than by the cut"
        exit 1
    }
    writer=
    umount "$folder/mount"
    mount -o loop "$folder/disk" "$folder/mount"
    "$program" check "$folder/mount/wal" "$folder/ack"
    round=$((round + 1))
done
