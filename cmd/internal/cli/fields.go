package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) fieldsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "fields [LAYER...]",
		Short: "List the fields that -e takes and that stand in JSON",
		Long: `fields lists what read -e and sniff -e take, of all layers or of those named.
ipv4[1].src is the field of the second such layer of a packet, and
tcp.options.kind leads into options; layers of the same name give several values.`,
		Example: `  pkts fields tcp
  pkts read -e n -e $(pkts fields udp | paste -sd, | sed 's/,/ -e /g') trace.pcap`,
		ValidArgsFunction: func(_ *cobra.Command, _ []string, start string) ([]string, cobra.ShellCompDirective) {
			return withPrefix(layerNames(), start), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, layers []string) error {
			var b strings.Builder
			if len(layers) == 0 {
				for _, f := range frameFields {
					fmt.Fprintln(&b, f)
				}
			}
			found := map[string]bool{}
			for _, f := range registry().FieldPaths() {
				layer, _, _ := strings.Cut(f, ".")
				found[layer] = true
				if len(layers) == 0 || slices.Contains(layers, layer) {
					fmt.Fprintln(&b, f)
				}
			}
			for _, l := range layers {
				if !found[l] {
					return usagef("no layer is called %q: there are %s", l, strings.Join(layerNames(), ", "))
				}
			}
			_, err := fmt.Fprint(a.out, b.String())
			return err
		},
	}
}

// layerNames returns the names of the layers.
func layerNames() []string {
	var names []string
	for _, f := range registry().FieldPaths() {
		if layer, _, _ := strings.Cut(f, "."); len(names) == 0 || names[len(names)-1] != layer {
			names = append(names, layer)
		}
	}
	return names
}
