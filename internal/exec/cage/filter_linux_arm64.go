package cage

const (
	filterArch = 0xc00000b7 // AUDIT_ARCH_AARCH64
	// lastCall is higher than the number of any call.
	lastCall = 0x3fffffff

	sysClone       = 220
	sysUnshare     = 97
	sysPersonality = 92
	sysSeccomp     = 277
)

// refused are the calls that no command may make.
var refused = [...]uint32{
	18,  // lookup_dcookie
	39,  // umount2
	40,  // mount
	41,  // pivot_root
	58,  // vhangup
	60,  // quotactl
	89,  // acct
	104, // kexec_load
	105, // init_module
	106, // delete_module
	112, // clock_settime
	116, // syslog
	117, // ptrace
	142, // reboot
	161, // sethostname
	162, // setdomainname
	170, // settimeofday
	217, // add_key
	218, // request_key
	219, // keyctl
	224, // swapon
	225, // swapoff
	241, // perf_event_open
	262, // fanotify_init
	265, // open_by_handle_at
	268, // setns
	270, // process_vm_readv
	271, // process_vm_writev
	272, // kcmp
	273, // finit_module
	280, // bpf
	282, // userfaultfd
	294, // kexec_file_load
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
