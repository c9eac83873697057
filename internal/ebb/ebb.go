// Package ebb gives back memory that only the start of a process needed. It
// knows of no process more than what the kernel says of this one.
package ebb
