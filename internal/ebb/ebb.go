// Package ebb has a process take less of the machine than it would by itself. It
// gives back memory that is no longer needed, that of its start and that of a
// time when it had much to do, and has threads sleep longer. It knows of a process no more
// than what the kernel and the runtime say of this one.
package ebb
