# SPDX-License-Identifier: Apache-2.0
"""A small ext4 of its own in a loop-mounted file: it can be filled, and its power can be cut."""

import fcntl
import os
import shutil
import struct
import subprocess
import time

FS_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2


class Skip(Exception):
    """This machine does not allow the test; the text says why."""


def tool(name, *arguments):
    """Runs a program of the system, also one in sbin."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise Skip(f"there is no {name}")
    return subprocess.run([path, *arguments], capture_output=True, text=True)


class Disk:
    """The file system, mounted at `path`."""

    def __init__(self, folder, megabytes):
        self.image = os.path.join(folder, "disk")
        self.path = os.path.join(folder, "mount")
        self.is_mounted = False
        if os.geteuid() != 0:
            raise Skip("mounting a file system needs root")
        os.makedirs(self.path, exist_ok=True)
        with open(self.image, "wb") as image:
            image.truncate(megabytes << 20)
        made = tool("mkfs.ext4", "-q", "-F", "-m", "0", self.image)
        if made.returncode != 0:
            raise Skip(f"mkfs.ext4 failed: {made.stderr.strip()}")
        try:
            self.mount()
        except OSError as error:
            raise Skip(f"loop mounts are not permitted: {error}") from None

    def mount(self):
        """Mounts it, which replays its journal."""
        mounted = tool("mount", "-o", "loop", self.image, self.path)
        if mounted.returncode != 0:
            raise OSError(mounted.stderr.strip())
        self.is_mounted = True

    def unmount(self):
        """Unmounts it; a process that just died may hold it for a moment."""
        for _ in range(100):
            done = tool("umount", self.path)
            if done.returncode == 0:
                self.is_mounted = False
                return
            time.sleep(0.02)
        raise OSError(done.stderr.strip())

    def cut_power(self):
        """From now on nothing reaches the disk, nor does what the file system still holds back."""
        folder = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, FS_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        except OSError as error:
            raise Skip(f"the kernel does not offer FS_IOC_SHUTDOWN: {error}") from None
        finally:
            os.close(folder)

    def free_bytes(self):
        """What is left."""
        info = os.statvfs(self.path)
        return info.f_bavail * info.f_frsize

    def remove(self):
        """Unmounts it and deletes its file."""
        if self.is_mounted:
            self.unmount()
        os.remove(self.image)
