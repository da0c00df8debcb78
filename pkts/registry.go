package pkts

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/gopkts/gopkts/common/link"
)

// Kind is the number of a protocol within one [Registry]. It is what
// [Protocol.Index] answers with; programs use the protocol's Go type instead.
type Kind uint16

// The protocols of this package. One that is added needs a line here, one in
// builtin and one in the lookup of each table that announces it.
const (
	// KindRaw is the payload whose protocol is not known.
	KindRaw Kind = iota
	kindPadding
	kindEthernet
	kindIPv4
	kindIPv6
	kindTCP
	kindUDP
	kindVLAN
	kindLLC
	kindSNAP
	kindARP
	kindLoopback
	kindLoop
	kindSLL
	kindSLL2
	kindHopByHop
	kindRouting
	kindFragment
	kindDestOpts
	kindAH
	kindESP
	kindMobility
	kindHIP
	kindShim6
	kindICMPv4
	kindICMPv6
	kindICMPExtensions
	kindICMPv4Times
	kindICMPv4Mask
	kindICMPv4Routers
	kindICMPv6Echo
	kindICMPv6ExtendedEcho
	kindICMPv6Error
	kindICMPv6TooBig
	kindICMPv6BadParam
	kindNDPRouterSolicitation
	kindNDPRouterAdvertisement
	kindNDPNeighborSolicitation
	kindNDPNeighborAdvertisement
	kindNDPRedirect
	kindMLD
	kindMLDv2Query
	kindMLDv2Report
	builtinKinds
)

// builtin is constant. It is an array and its elements are addresses, so that
// a program that decodes nothing does not carry the protocols.
var builtin = [builtinKinds]*Protocol{
	KindRaw:      &rawProtocol,
	kindPadding:  &paddingProtocol,
	kindEthernet: &ethernetProtocol,
	kindIPv4:     &ipv4Protocol,
	kindIPv6:     &ipv6Protocol,
	kindTCP:      &tcpProtocol,
	kindUDP:      &udpProtocol,
	kindHopByHop: &hopByHopProtocol,
	kindRouting:  &routingProtocol,
	kindFragment: &fragmentProtocol,
	kindDestOpts: &destOptsProtocol,
	kindAH:       &ahProtocol,
	kindESP:      &espProtocol,
	kindMobility: &mobilityProtocol,
	kindHIP:      &hipProtocol,
	kindShim6:    &shim6Protocol,
	kindVLAN:     &vlanProtocol,
	kindLLC:      &llcProtocol,
	kindSNAP:     &snapProtocol,
	kindARP:      &arpProtocol,
	kindLoopback: &loopbackProtocol,
	kindLoop:     &loopProtocol,
	kindSLL:      &sllProtocol,
	kindSLL2:     &sll2Protocol,

	kindICMPv4:                   &icmpv4Protocol,
	kindICMPv4Times:              &icmpv4TimesProtocol,
	kindICMPv4Mask:               &icmpv4MaskProtocol,
	kindICMPv4Routers:            &icmpv4RoutersProtocol,
	kindICMPExtensions:           &icmpExtensionsProtocol,
	kindICMPv6:                   &icmpv6Protocol,
	kindICMPv6Echo:               &icmpv6EchoProtocol,
	kindICMPv6ExtendedEcho:       &icmpv6ExtendedEchoProtocol,
	kindICMPv6Error:              &icmpv6ErrorProtocol,
	kindICMPv6TooBig:             &icmpv6TooBigProtocol,
	kindICMPv6BadParam:           &icmpv6BadParamProtocol,
	kindNDPRouterSolicitation:    &ndpRouterSolicitationProtocol,
	kindNDPRouterAdvertisement:   &ndpRouterAdvertisementProtocol,
	kindNDPNeighborSolicitation:  &ndpNeighborSolicitationProtocol,
	kindNDPNeighborAdvertisement: &ndpNeighborAdvertisementProtocol,
	kindNDPRedirect:              &ndpRedirectProtocol,
	kindMLD:                      &mldProtocol,
	kindMLDv2Query:               &mldv2QueryProtocol,
	kindMLDv2Report:              &mldv2ReportProtocol,
}

// etherTypeKind is the built-in part of [EtherTypes].
func etherTypeKind(t EtherType) Kind {
	switch t {
	case EtherTypeIPv4:
		return kindIPv4
	case EtherTypeIPv6:
		return kindIPv6
	case EtherTypeVLAN, EtherTypeQinQ, EtherTypeQinQ9100, EtherTypeQinQ9200:
		return kindVLAN
	case EtherTypeARP, EtherTypeRARP:
		return kindARP
	default:
		return KindRaw
	}
}

// ipProtoKind is the built-in part of [IPProtos].
func ipProtoKind(p IPProto) Kind {
	switch p {
	case IPProtoTCP:
		return kindTCP
	case IPProtoUDP:
		return kindUDP
	case IPProtoIPv4:
		return kindIPv4
	case IPProtoIPv6:
		return kindIPv6
	case IPProtoEthernet:
		return kindEthernet
	case IPProtoHopByHop:
		return kindHopByHop
	case IPProtoRouting:
		return kindRouting
	case IPProtoFragment:
		return kindFragment
	case IPProtoDestOpts:
		return kindDestOpts
	case IPProtoAH:
		return kindAH
	case IPProtoESP:
		return kindESP
	case IPProtoMobility:
		return kindMobility
	case IPProtoHIP:
		return kindHIP
	case IPProtoShim6:
		return kindShim6
	case IPProtoICMPv4:
		return kindICMPv4
	case IPProtoICMPv6:
		return kindICMPv6
	default:
		return KindRaw
	}
}

// icmpv6TypeKind is the built-in part of [ICMPv6Types]. Type 130 is in it as
// version 1: the length of a query tells the versions apart.
func icmpv6TypeKind(t ICMPv6Type) Kind {
	switch t {
	case ICMPv6DestUnreachable, ICMPv6TimeExceeded:
		return kindICMPv6Error
	case ICMPv6PacketTooBig:
		return kindICMPv6TooBig
	case ICMPv6ParamProblem:
		return kindICMPv6BadParam
	case ICMPv6EchoRequest, ICMPv6EchoReply:
		return kindICMPv6Echo
	case ICMPv6ExtendedEchoRequest, ICMPv6ExtendedEchoReply:
		return kindICMPv6ExtendedEcho
	case ICMPv6RouterSolicitation:
		return kindNDPRouterSolicitation
	case ICMPv6RouterAdvertisement:
		return kindNDPRouterAdvertisement
	case ICMPv6NeighborSolicitation:
		return kindNDPNeighborSolicitation
	case ICMPv6NeighborAdvertisement:
		return kindNDPNeighborAdvertisement
	case ICMPv6Redirect:
		return kindNDPRedirect
	case ICMPv6MLDQuery, ICMPv6MLDReport, ICMPv6MLDDone:
		return kindMLD
	case ICMPv6MLDv2Report:
		return kindMLDv2Report
	default:
		return KindRaw
	}
}

// linkTypeKind is the built-in part of [LinkTypes]. Raw IP is not in it: there
// the version in the first byte decides.
func linkTypeKind(t link.Type) Kind {
	switch t {
	case link.TypeEthernet:
		return kindEthernet
	case link.TypeIPv4:
		return kindIPv4
	case link.TypeIPv6:
		return kindIPv6
	case link.TypeNull:
		return kindLoopback
	case link.TypeLoop:
		return kindLoop
	case link.TypeLinuxSLL:
		return kindSLL
	case link.TypeLinuxSLL2:
		return kindSLL2
	default:
		return KindRaw
	}
}

// Table is a number space in which protocols are announced, such as the
// EtherTypes. Another module makes its own with [NewTable].
type Table struct {
	name    string
	bit     uint8 // of Registry.overlaid; 0 for a foreign table
	max     uint32
	builtin func(n uint32) Kind
}

// NewTable returns a new number space. name is used when it is printed.
func NewTable(name string) *Table { return &Table{name: name} }

// String returns the name.
func (t *Table) String() string {
	if t.name == "" {
		if first, ok := snapOUI(t); ok {
			return fmt.Sprintf("SNAP %02x", first)
		}
	}
	return t.name
}

// The number spaces of this package.
var (
	// LinkTypes are the LINKTYPE_ numbers of package link.
	LinkTypes = &linkTypesTable
	// EtherTypes are IEEE 802 numbers, used by [Ethernet] and many others.
	EtherTypes = &etherTypesTable
	// IPProtos are the IANA protocol numbers, used by [IPv4], [IPv6] and its
	// extension headers.
	IPProtos = &ipProtosTable
	// TCPPorts and UDPPorts are port numbers. No protocol is bound to a port
	// until a program does so: a port is a guess. The destination port is
	// looked up before the source port.
	TCPPorts = &tcpPortsTable
	UDPPorts = &udpPortsTable
	// ICMPv6Types are the IANA ICMPv6 type numbers, used by [ICMPv6].
	ICMPv6Types = &icmpv6TypesTable
)

const (
	overlaidLinkTypes = 1 << iota
	overlaidEtherTypes
	overlaidIPProtos
	overlaidTCPPorts
	overlaidUDPPorts
	overlaidForeign
	overlaidICMPv6Types
)

var (
	linkTypesTable  = Table{name: "link type", bit: overlaidLinkTypes, max: 1<<16 - 1, builtin: func(n uint32) Kind { return linkTypeKind(link.Type(n)) }}
	etherTypesTable = Table{name: "EtherType", bit: overlaidEtherTypes, max: 1<<16 - 1, builtin: func(n uint32) Kind { return etherTypeKind(EtherType(n)) }}
	ipProtosTable   = Table{name: "IP protocol", bit: overlaidIPProtos, max: 1<<8 - 1, builtin: func(n uint32) Kind { return ipProtoKind(IPProto(n)) }}
	tcpPortsTable   = Table{name: "TCP port", bit: overlaidTCPPorts, max: 1<<16 - 1}
	udpPortsTable   = Table{name: "UDP port", bit: overlaidUDPPorts, max: 1<<16 - 1}

	icmpv6TypesTable = Table{name: "ICMPv6 type", bit: overlaidICMPv6Types, max: 1<<8 - 1, builtin: func(n uint32) Kind { return icmpv6TypeKind(ICMPv6Type(n)) }}
)

// Selector is a number in a table: what announces a protocol. It is
// comparable.
type Selector struct {
	Table  *Table
	Number uint32
}

// String returns the table's name and the number, such as "UDP port 53".
func (s Selector) String() string {
	if s.Table == &etherTypesTable {
		return fmt.Sprintf("%v 0x%04x", s.Table, s.Number)
	}
	if first, ok := snapOUI(s.Table); ok {
		return fmt.Sprintf("SNAP %v 0x%04x", OUI{first, byte(s.Number >> 24), byte(s.Number >> 16)}, uint16(s.Number))
	}
	return fmt.Sprintf("%v %d", s.Table, s.Number)
}

// ByLinkType, ByEtherType, ByIPProto, ByTCPPort and ByUDPPort return a number
// in the table of that name.
func ByLinkType(t link.Type) Selector  { return Selector{&linkTypesTable, uint32(t)} }
func ByEtherType(t EtherType) Selector { return Selector{&etherTypesTable, uint32(t)} }
func ByIPProto(p IPProto) Selector     { return Selector{&ipProtosTable, uint32(p)} }
func ByTCPPort(port uint16) Selector   { return Selector{&tcpPortsTable, uint32(port)} }
func ByUDPPort(port uint16) Selector   { return Selector{&udpPortsTable, uint32(port)} }

// ByICMPv6Type returns a number in [ICMPv6Types].
func ByICMPv6Type(t ICMPv6Type) Selector { return Selector{&icmpv6TypesTable, uint32(t)} }

// Binding says that a number announces a protocol.
type Binding struct {
	At Selector
	// Protocol is what follows; nil takes a binding away, so that the payload
	// becomes [Raw].
	Protocol *Protocol
}

// Bind returns a binding for each number that p itself says it is found at.
func Bind(protocols ...*Protocol) []Binding {
	var bs []Binding
	for _, p := range protocols {
		for _, s := range p.At {
			bs = append(bs, Binding{s, p})
		}
	}
	return bs
}

// Registry says which protocol follows which. It is immutable: [Registry.With]
// returns a new one. The zero value, and a nil pointer, are the protocols of
// this package.
type Registry struct {
	overlaid uint8 // tables with an entry in overlay
	overlay  map[Selector]Kind
	foreign  []*Protocol // kinds from builtinKinds on
}

// Default is the protocols of this package, with no port bound to any.
var Default = &Registry{}

// With returns a registry with more bindings; a later one replaces an earlier
// one for the same number.
func (r *Registry) With(bindings ...Binding) *Registry {
	n := &Registry{overlay: map[Selector]Kind{}}
	if r != nil {
		n.overlaid = r.overlaid
		maps.Copy(n.overlay, r.overlay)
		n.foreign = slices.Clone(r.foreign)
	}
	for _, b := range bindings {
		n.overlay[b.At] = n.add(b.Protocol)
		n.overlaid |= cmp.Or(b.At.Table.bit, overlaidForeign)
	}
	return n
}

// add returns the kind of p, giving it one if it has none.
func (r *Registry) add(p *Protocol) Kind {
	if p == nil {
		return KindRaw
	}
	if k, ok := r.kindOf(p); ok {
		return k
	}
	r.foreign = append(r.foreign, p)
	return builtinKinds + Kind(len(r.foreign)-1)
}

// kindOf returns the number of p in r.
func (r *Registry) kindOf(p *Protocol) (Kind, bool) {
	if p.kind != 0 || p == &rawProtocol {
		return p.kind, true
	}
	if r != nil {
		if i := slices.Index(r.foreign, p); i >= 0 {
			return builtinKinds + Kind(i), true
		}
	}
	return KindRaw, false
}

// KindOf returns the number of p in r, for [Span.Next] of a protocol that
// knows what follows without a table. It is [KindRaw] when r does not have p.
func (r *Registry) KindOf(p *Protocol) Kind {
	k, _ := r.kindOf(p)
	return k
}

// kinds returns how many kinds r has: they are the numbers below.
func (r *Registry) kinds() Kind {
	if r == nil {
		return builtinKinds
	}
	return builtinKinds + Kind(len(r.foreign))
}

// protocol returns the protocol with number k.
func (r *Registry) protocol(k Kind) *Protocol {
	if k < builtinKinds {
		return builtin[k]
	}
	return r.foreign[k-builtinKinds]
}

// Next returns the protocol that number n announces in table t, and KindRaw
// when none is known.
func (r *Registry) Next(t *Table, n uint32) Kind {
	if r != nil && r.overlaid&cmp.Or(t.bit, overlaidForeign) != 0 {
		if k, ok := r.overlay[Selector{t, n}]; ok {
			return k
		}
	}
	if t.builtin == nil {
		return KindRaw
	}
	return t.builtin(n)
}

// etherType, ipProto and ports are Next for the tables on the hot path.
func (r *Registry) etherType(t EtherType) Kind {
	if r.overlaid&overlaidEtherTypes != 0 {
		return r.Next(&etherTypesTable, uint32(t))
	}
	return etherTypeKind(t)
}

func (r *Registry) ipProto(p IPProto) Kind {
	if r.overlaid&overlaidIPProtos != 0 {
		return r.Next(&ipProtosTable, uint32(p))
	}
	return ipProtoKind(p)
}

func (r *Registry) icmpv6Type(t ICMPv6Type) Kind {
	if r.overlaid&overlaidICMPv6Types != 0 {
		return r.Next(&icmpv6TypesTable, uint32(t))
	}
	return icmpv6TypeKind(t)
}

func (r *Registry) ports(t *Table, src, dst uint16) Kind {
	if r.overlaid&t.bit == 0 {
		return KindRaw
	}
	if k := r.Next(t, uint32(dst)); k != KindRaw {
		return k
	}
	return r.Next(t, uint32(src))
}

// Number returns the number that announces p in table t, for encoding.
func (r *Registry) Number(t *Table, p *Protocol) (uint32, bool) {
	for _, s := range p.At {
		if s.Table == t {
			return s.Number, true
		}
	}
	if r == nil {
		return 0, false
	}
	k, ok := r.kindOf(p)
	if !ok {
		return 0, false
	}
	// A protocol that a program bound to a number that the protocol does not
	// name itself: take the lowest, so that the answer is always the same.
	found, best := false, uint32(0)
	for s, o := range r.overlay {
		if s.Table == t && o == k && (!found || s.Number < best) {
			found, best = true, s.Number
		}
	}
	return best, found
}

// Bindings yields what announces what, in the order of the tables and numbers:
// what a program can take away or replace.
func (r *Registry) Bindings() iter.Seq2[Selector, *Protocol] {
	return func(yield func(Selector, *Protocol) bool) {
		tables := []*Table{LinkTypes, EtherTypes, IPProtos, TCPPorts, UDPPorts, LLCSAPs, LoopbackFamilies, ICMPv6Types}
		var foreign []Selector
		if r != nil {
			for s := range r.overlay {
				if !slices.Contains(tables, s.Table) {
					foreign = append(foreign, s)
				}
			}
		}
		for _, t := range tables {
			for n := range t.max + 1 {
				if k := r.Next(t, n); k != KindRaw && !yield(Selector{t, n}, r.protocol(k)) {
					return
				}
			}
		}
		slices.SortFunc(foreign, func(a, b Selector) int {
			return cmp.Or(cmp.Compare(a.Table.String(), b.Table.String()), cmp.Compare(a.Number, b.Number))
		})
		for _, s := range foreign {
			if k := r.overlay[s]; k != KindRaw && !yield(s, r.protocol(k)) {
				return
			}
		}
	}
}

// Protocols yields every protocol that r knows.
func (r *Registry) Protocols() iter.Seq[*Protocol] {
	return func(yield func(*Protocol) bool) {
		for _, p := range builtin {
			if !yield(p) {
				return
			}
		}
		if r == nil {
			return
		}
		for _, p := range r.foreign {
			if !yield(p) {
				return
			}
		}
	}
}
