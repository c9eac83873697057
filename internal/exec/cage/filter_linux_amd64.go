package cage

const (
	filterArch = 0xc000003e // AUDIT_ARCH_X86_64
	// lastCall is the highest number of a call; those above are of the x32 way
	// to call, in which all have another number.
	lastCall = 0x3fffffff

	sysClone       = 56
	sysUnshare     = 272
	sysPersonality = 135
	sysSeccomp     = 317
)

// refused are the calls that no command may make.
var refused = [...]uint32{
	101, // ptrace
	103, // syslog
	153, // vhangup
	155, // pivot_root
	163, // acct
	164, // settimeofday
	165, // mount
	166, // umount2
	167, // swapon
	168, // swapoff
	169, // reboot
	170, // sethostname
	171, // setdomainname
	172, // iopl
	173, // ioperm
	175, // init_module
	176, // delete_module
	179, // quotactl
	212, // lookup_dcookie
	227, // clock_settime
	246, // kexec_load
	248, // add_key
	249, // request_key
	250, // keyctl
	298, // perf_event_open
	300, // fanotify_init
	304, // open_by_handle_at
	308, // setns
	310, // process_vm_readv
	311, // process_vm_writev
	312, // kcmp
	313, // finit_module
	320, // kexec_file_load
	321, // bpf
	323, // userfaultfd
	425, // io_uring_setup
	426, // io_uring_enter
	427, // io_uring_register
	428, // open_tree
	429, // move_mount
	430, // fsopen
	431, // fsconfig
	432, // fsmount
	433, // fspick
	438, // pidfd_getfd
	442, // mount_setattr
	443, // quotactl_fd
	467, // open_tree_attr
}
