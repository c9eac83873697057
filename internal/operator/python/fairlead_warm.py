"""A process that waits, with an interpreter in it, and forks for each attempt
a process that is born in the attempt's namespaces: a fork takes less than the
start of Python. What waits never reads anything of an attempt: it gets
descriptors and hands them on. The keeper of attempts, which starts it, says in
package cage what it expects.
"""

import ctypes
import os
import sys
from _socket import AF_UNIX, CMSG_SPACE, MSG_CMSG_CLOEXEC, SOCK_SEQPACKET
from _socket import socket as Socket

CONN = 3  # to the keeper, at the start

# Descriptors of a child: 0 to 4 are those of the command.
STATUS, ORDER = 5, 6
ROOM = 16  # what waits has its own from here on, so that a child can arrange the others

# Descriptors that come with a request, before those of control groups.
FIRST, IN, OUT, LOGS, RESULT, STATUS_END, ORDER_END = range(7)

# Flags of a request.
NETWORK, INTO_GROUP = 1, 2

# Kinds of notes.
WARM, COLD, ASTRAY = 100, 101, 102

NEW_NS, NEW_IPC, NEW_PID, NEW_NET = 0x20000, 0x8000000, 0x20000000, 0x40000000
PARENT, SET_TID, CLEAR_TID, INTO_CGROUP = 0x8000, 0x1000000, 0x200000, 0x200000000
SYS_CLONE3, SYS_CLOSE_RANGE = 435, 436
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_GET_TID_ADDRESS, PR_CAP_AMBIENT = 1, 4, 24, 38, 40, 47
SYS_CHROOT, SYS_PTRACE, SYS_ADMIN = 18, 19, 21

# The interpreter's lock is kept in these calls: a child must not find it free.
libc = ctypes.PyDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
long = ctypes.c_ulong


def check(result):
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def call(number, *args):
    return check(libc.syscall(ctypes.c_long(number), *(long(a) if isinstance(a, int) else a for a in args)))


def prctl(what, arg=0):
    return libc.prctl(what, long(arg), long(0), long(0), long(0))


def keep_rights(*rights):
    """Gives up all rights but these, for good."""
    for n in range(64):
        if prctl(PR_CAPBSET_DROP, n) < 0:
            break  # beyond the last one, or there is none to drop
    prctl(PR_CAP_AMBIENT, 4)
    mask = sum(1 << n for n in rights)
    head = (ctypes.c_uint32 * 2)(0x20080522, 0)
    check(libc.capset(head, (ctypes.c_uint32 * 6)(mask, mask, 0, 0, 0, 0)))


class Template:
    """What waits."""

    def __init__(self):
        null = os.open(os.devnull, os.O_RDWR)
        for fd in range(ROOM):
            if fd not in (0, 1, 2, CONN):
                os.dup2(null, fd)
        conn = os.dup(CONN)
        os.dup2(null, CONN)
        self.conn = Socket(AF_UNIX, SOCK_SEQPACKET, 0, conn)
        self.conn.setblocking(True)
        prctl(PR_SET_PDEATHSIG, 9)
        check(prctl(PR_SET_NO_NEW_PRIVS, 1))
        # The filter of system calls: how many instructions, the number of the
        # call that installs it, and the instructions.
        setup = self.conn.recv(1 << 16)
        self.seccomp = int.from_bytes(setup[:4], sys.byteorder)
        self.text = ctypes.create_string_buffer(setup[4:], max(len(setup) - 4, 1))
        size = (len(setup) - 4) // 8
        self.filter = (ctypes.c_uint64 * 2)(size, ctypes.addressof(self.text)) if size else None
        # Where the C library keeps the number of the thread, which a fork sets.
        where = ctypes.c_void_p()
        if prctl(PR_GET_TID_ADDRESS, ctypes.addressof(where)) < 0 or not where.value \
                or ctypes.c_int32.from_address(where.value).value != os.getpid():
            raise OSError("the C library is one that we do not know")
        self.args = (ctypes.c_uint64 * 11)()
        self.args[2] = where.value
        keep_rights(SYS_CHROOT, SYS_PTRACE, SYS_ADMIN)

    def serve(self, become):
        """Waits for requests. In each child become is called with the arguments."""
        import gc

        self.become = become

        gc.collect()
        gc.freeze()  # else a collection in a child writes to all of it
        self.conn.send((0).to_bytes(4, sys.byteorder))
        while True:
            data, control, _, _ = self.conn.recvmsg(16, CMSG_SPACE(4 * 64), MSG_CMSG_CLOEXEC)
            if not data:
                os._exit(0)
            fds = []
            for _, _, packed in control:
                fds += [int.from_bytes(packed[i:i + 4], sys.byteorder) for i in range(0, len(packed), 4)]
            try:
                answer = self.fork(data[0], fds)
            except OSError as e:
                answer = -(e.errno or 1)
            for fd in fds:
                os.close(fd)
            self.conn.send(answer.to_bytes(4, sys.byteorder, signed=True))

    def fork(self, flags, fds):
        """Makes the child. It is the keeper's, and so are its processes."""
        self.args[0] = PARENT | SET_TID | CLEAR_TID
        if flags & INTO_GROUP:
            self.args[0] |= INTO_CGROUP
            self.args[10] = fds[ORDER_END + 1]
        api = ctypes.pythonapi
        check(libc.setns(fds[FIRST], NEW_PID))  # of children; until the next request it stays so
        api.PyOS_BeforeFork()
        pid = libc.syscall(ctypes.c_long(SYS_CLONE3), self.args, long(ctypes.sizeof(self.args)))
        error = ctypes.get_errno()
        if pid == 0:
            api.PyOS_AfterFork_Child()
            self.live(flags, fds)
        api.PyOS_AfterFork_Parent()
        if pid < 0:
            raise OSError(error, os.strerror(error))
        return pid

    def live(self, flags, fds):
        """Is the life of a child."""
        try:
            try:
                self.enter(flags, fds)
            except BaseException as e:
                note(COLD, errno=getattr(e, "errno", None) or 1, status=fds[STATUS_END])
                os._exit(127)
            note(WARM)
            self.obey()
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(1)

    def enter(self, flags, fds):
        """Makes the process one as a command is born."""
        groups = fds[ORDER_END + 1:]
        for fd in groups[bool(flags & INTO_GROUP):]:
            os.write(fd, b"0")
        spaces = NEW_NS | NEW_IPC
        if flags & NETWORK:
            spaces |= NEW_NET
        check(libc.setns(fds[FIRST], spaces))
        os.setsid()
        for fd, to in ((IN, 0), (OUT, 1), (OUT, 2), (LOGS, 3), (RESULT, 4), (STATUS_END, STATUS), (ORDER_END, ORDER)):
            os.dup2(fds[fd], to, inheritable=to < STATUS)
        fds[STATUS_END] = STATUS
        call(SYS_CLOSE_RANGE, ORDER + 1, (1 << 31) - 1, 0)
        keep_rights()
        if self.filter is not None:
            filter_mode, no_mitigation = 1, 4
            call(self.seccomp, filter_mode, no_mitigation, self.filter)
        prctl(PR_SET_DUMPABLE, 1)

    def obey(self):
        """Reads the order, and carries it out."""
        text = read_all(ORDER)
        os.close(ORDER)
        size, _, text = text.partition(b"\0")
        if not size or int(size) != len(text):
            os._exit(127)  # whoever wrote it is gone
        where, call_number, limits, count, *rest = text.split(b"\0")
        argv, env = rest[:int(count)], rest[int(count):]
        if limits:
            from resource import setrlimit

            for limit in limits.split(b" "):
                what, _, most = limit.partition(b":")
                most = int(most) if int(most) < 1 << 63 else -1
                setrlimit(int(what), (most, most))
        try:
            os.chdir(where)
        except OSError as e:
            note(ASTRAY, int(call_number), e.errno)
            os._exit(127)
        os.close(STATUS)
        # What the interpreter has set for itself at its start stays.
        here = os.environb
        for name in list(here):
            if name != b"LC_CTYPE":
                del here[name]
        for entry in env:
            name, _, value = entry.partition(b"=")
            here[name] = value
        import time

        time.tzset()
        self.become(argv)


def note(kind, number=0, errno=0, status=STATUS):
    """Tells the keeper; see package cage."""
    os.write(status, b"".join(n.to_bytes(4, sys.byteorder) for n in (kind, number, errno, 0)) + bytes(16))


def read_all(fd):
    parts = []
    while part := os.read(fd, 1 << 20):
        parts.append(part)
    return b"".join(parts)
