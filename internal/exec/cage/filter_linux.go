package cage

import "unsafe"

// A command is refused the system calls that only administrators need, even
// where the kernel would let it have them in namespaces of its own: most ways out
// of a cage that were ever found began with one of them.
//
// The filter is installed once, in the zygote, since the kernel takes longer to
// compile it than to fork. Processes 1 have it, too, and need some of these
// calls: theirs have a random number for a sixth argument, which those calls do
// not have and no command can know. What knows it cannot be looked into.

// An instruction is one of the kernel's classic packet filters.
type instruction struct {
	code   uint16
	jt, jf uint8 // how far to jump
	k      uint32
}

const (
	bpfLoad   = 0x20 // BPF_LD|BPF_W|BPF_ABS
	bpfEqual  = 0x15 // BPF_JMP|BPF_JEQ|BPF_K
	bpfAbove  = 0x25 // BPF_JMP|BPF_JGT|BPF_K
	bpfSet    = 0x45 // BPF_JMP|BPF_JSET|BPF_K
	bpfReturn = 0x06 // BPF_RET|BPF_K

	allow  = 0x7fff0000
	refuse = 0x00050000 // with an errno in the low bits
	eperm  = 1
	enosys = 38
)

// Offsets in what the filter looks at. The processors that we know are
// little-endian.
const (
	atNumber = 0
	atArch   = 4
	atFirst  = 16 // the first argument, its low half
	atSixth  = 56
)

// namespaceFlags are those of clone; unshare has another.
const (
	namespaceFlags = 0x7e020000
	newTime        = 0x80
)

// harmless are the personalities that a command may have: those of Linux, or
// the question which it has.
var harmless = [...]uint32{0, 0x8, 0x20000, 0x20008, 0xffffffff}

// A filterer assembles a filter whose jumps go to ends that are known last.
type filterer struct {
	list   []instruction
	labels map[string]int
	jumps  map[int]string // instructions that jump, when true, to a label
	key    *uint64
}

func (f *filterer) add(code uint16, k uint32) {
	f.list = append(f.list, instruction{code: code, k: k})
}

// on jumps to a label when the test is true.
func (f *filterer) on(code uint16, k uint32, label string) {
	f.jumps[len(f.list)] = label
	f.add(code, k)
}

func (f *filterer) label(name string) { f.labels[name] = len(f.list) }

// newFilter assembles the filter that lets pass what has the key, and nothing if
// there is none. It is empty on processors whose calls we do not know.
func newFilter(key *uint64) []instruction {
	if filterArch == 0 {
		return nil
	}
	f := &filterer{labels: map[string]int{}, jumps: map[int]string{}, key: key}
	f.add(bpfLoad, atArch)
	f.on(bpfEqual, filterArch, "ours")
	f.add(bpfReturn, refuse|enosys) // calls of another processor's programs
	f.label("ours")
	f.add(bpfLoad, atNumber)
	f.on(bpfAbove, lastCall, "unknown")
	f.on(bpfEqual, sysClone, "clone")
	f.on(bpfEqual, sysClone3, "clone3")
	f.on(bpfEqual, sysUnshare, "unshare")
	f.on(bpfEqual, sysPersonality, "personality")
	for _, n := range refused {
		f.on(bpfEqual, n, "refused")
	}
	f.label("allowed")
	f.add(bpfReturn, allow)

	f.label("unknown")
	f.add(bpfReturn, refuse|enosys)

	f.label("clone")
	f.add(bpfLoad, atFirst)
	f.on(bpfSet, namespaceFlags, "refused")
	f.add(bpfReturn, allow)

	f.label("unshare")
	f.add(bpfLoad, atFirst)
	f.on(bpfSet, namespaceFlags|newTime, "refused")
	f.add(bpfReturn, allow)

	f.label("personality")
	f.add(bpfLoad, atFirst)
	for _, p := range harmless {
		f.on(bpfEqual, p, "fine")
	}
	f.add(bpfReturn, refuse|eperm)
	f.label("fine")
	f.add(bpfReturn, allow)

	// Its flags are in memory, where a filter cannot look. The C libraries
	// then call clone.
	f.label("clone3")
	f.unlessKey(enosys)
	f.label("refused")
	f.unlessKey(eperm)

	for at, name := range f.jumps {
		f.list[at].jt = uint8(f.labels[name] - at - 1)
	}
	return f.list
}

func (f *filterer) unlessKey(errno uint32) {
	if f.key != nil {
		f.add(bpfLoad, atSixth)
		f.list = append(f.list, instruction{code: bpfEqual, jf: 3, k: uint32(*f.key)})
		f.add(bpfLoad, atSixth+4)
		f.list = append(f.list, instruction{code: bpfEqual, jf: 1, k: uint32(*f.key >> 32)})
		f.add(bpfReturn, allow)
	}
	f.add(bpfReturn, refuse|errno)
}

// A filter is the kernel's struct sock_fprog.
type filter struct {
	size  uint16
	first uintptr
}

func (f *filter) set(list []instruction) {
	if f.size = uint16(len(list)); f.size > 0 {
		f.first = uintptr(unsafe.Pointer(&list[0]))
	}
}
