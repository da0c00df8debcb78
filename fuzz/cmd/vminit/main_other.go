//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "vminit: is the first process of a Linux kernel")
	os.Exit(1)
}
