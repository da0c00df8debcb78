// Command pkts captures, reads, checks and converts network packets.
//
// Run it with --help; the commands and their options are described there.
package main

import (
	"os"

	"github.com/gopkts/gopkts/cmd/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
