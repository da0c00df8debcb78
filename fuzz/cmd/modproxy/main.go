// Modproxy writes the published modules of the workspace around the current
// folder to a folder that GOPROXY can name, and prints what it serves.
//
//	go run ./fuzz/cmd/modproxy DIR
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/gopkts/gopkts/fuzz/internal/modproxy"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: modproxy DIR")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	root, err := modproxy.Root(".")
	if err != nil {
		return err
	}
	served, err := modproxy.Write(dir, root)
	if err != nil {
		return err
	}
	for _, m := range served {
		fmt.Println(m)
	}
	return nil
}
