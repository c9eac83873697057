// Package ebb gives back memory that a process no longer needs: that of its
// start, and that of a time when it had much to do. It knows of a process no
// more than what the kernel and the runtime say of this one.
package ebb
