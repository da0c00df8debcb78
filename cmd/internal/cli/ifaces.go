package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/gopkts/gopkts/common/link"
)

// ifaceInfo is an interface in JSON. The keys are stable.
type ifaceInfo struct {
	Index     int      `json:"index"`
	Name      string   `json:"name"`
	MAC       string   `json:"mac,omitempty"`
	MTU       int      `json:"mtu"`
	Flags     []string `json:"flags"`
	Link      string   `json:"link"`
	Addresses []string `json:"addresses"`
}

func (a *app) ifacesCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "ifaces [--json]",
		Short: "List the network interfaces",
		Long: `ifaces lists the network interfaces with their addresses. With --json it prints
an array of objects: index, name, mac (where there is one), mtu in bytes, flags,
link (the type of the captured frames) and addresses.`,
		Example: `  pkts ifaces
  pkts ifaces --json | jq -r '.[] | select(.flags | index("up")) | .name'`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			ifaces, err := link.Interfaces()
			if err != nil {
				return err
			}
			infos := make([]ifaceInfo, 0, len(ifaces))
			for _, i := range ifaces {
				info := ifaceInfo{Index: i.Index, Name: i.Name, MTU: i.MTU, Flags: flagNames(i.Flags), Link: i.Link.String(), Addresses: []string{}}
				if i.HasMAC {
					info.MAC = i.MAC.String()
				}
				for _, p := range i.Addrs {
					info.Addresses = append(info.Addresses, p.String())
				}
				infos = append(infos, info)
			}
			if asJSON {
				return a.writeJSON(infos)
			}
			return a.printIfaces(infos)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// flagNames returns the names of an interface's flags.
func flagNames(f link.Flags) []string {
	return strings.FieldsFunc(f.String(), func(r rune) bool { return strings.ContainsRune("|+, ", r) })
}

// writeJSON prints v, indented.
func (a *app) writeJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func (a *app) printIfaces(infos []ifaceInfo) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "INDEX\tNAME\tMTU\tLINK\tMAC\tFLAGS\tADDRESSES")
	for _, i := range infos {
		mac := i.MAC
		if mac == "" {
			mac = "-"
		}
		fmt.Fprintf(w, "%d\t%s\t%d\t%s\t%s\t%s\t%s\n", i.Index, i.Name, i.MTU, i.Link, mac, strings.Join(i.Flags, ","), strings.Join(i.Addresses, " "))
	}
	return w.Flush()
}
