//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd && !windows && !js && !wasip1

package link

// interfaces returns what package net knows: it reads lifconf on Solaris and
// illumos, getkerninfo on AIX, /net on Plan 9.
func interfaces() ([]Interface, error) { return netInterfaces() }
