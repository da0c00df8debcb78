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
	kindGRE
	kindVXLAN
	kindGeneve
	kindGTPU
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

	kindGRE:    &greProtocol,
	kindVXLAN:  &vxlanProtocol,
	kindGeneve: &geneveProtocol,
	kindGTPU:   &gtpuProtocol,
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
	case EtherTypeBridged:
		return kindEthernet
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
	case IPProtoGRE:
		return kindGRE
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
	max     uint64
	builtin func(n uint64) Kind
}

// NewTable returns a new number space. name is used when it is printed.
func NewTable(name string) *Table { return &Table{name: name} }

// String returns the name.
func (t *Table) String() string { return t.name }

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
	linkTypesTable  = Table{name: "link type", bit: overlaidLinkTypes, max: 1<<16 - 1, builtin: func(n uint64) Kind { return linkTypeKind(link.Type(n)) }}
	etherTypesTable = Table{name: "EtherType", bit: overlaidEtherTypes, max: 1<<16 - 1, builtin: func(n uint64) Kind { return etherTypeKind(EtherType(n)) }}
	ipProtosTable   = Table{name: "IP protocol", bit: overlaidIPProtos, max: 1<<8 - 1, builtin: func(n uint64) Kind { return ipProtoKind(IPProto(n)) }}
	tcpPortsTable   = Table{name: "TCP port", bit: overlaidTCPPorts, max: 1<<16 - 1}
	udpPortsTable   = Table{name: "UDP port", bit: overlaidUDPPorts, max: 1<<16 - 1}

	icmpv6TypesTable = Table{name: "ICMPv6 type", bit: overlaidICMPv6Types, max: 1<<8 - 1, builtin: func(n uint64) Kind { return icmpv6TypeKind(ICMPv6Type(n)) }}
)

// Selector is a number in a table: what announces a protocol. It is
// comparable.
type Selector struct {
	Table  *Table
	Number uint64
}

// String returns the table's name and the number, such as "UDP port 53".
func (s Selector) String() string {
	if s.Table == &etherTypesTable {
		return fmt.Sprintf("%v 0x%04x", s.Table, s.Number)
	}
	if s.Table == &snapProtocolsTable {
		return fmt.Sprintf("%v %v 0x%04x", s.Table, OUI{byte(s.Number >> 32), byte(s.Number >> 24), byte(s.Number >> 16)}, uint16(s.Number))
	}
	return fmt.Sprintf("%v %d", s.Table, s.Number)
}

// ByLinkType returns a number in [LinkTypes].
func ByLinkType(t link.Type) Selector { return Selector{&linkTypesTable, uint64(t)} }

// ByEtherType returns a number in [EtherTypes].
func ByEtherType(t EtherType) Selector { return Selector{&etherTypesTable, uint64(t)} }

// ByIPProto returns a number in [IPProtos].
func ByIPProto(p IPProto) Selector { return Selector{&ipProtosTable, uint64(p)} }

// ByTCPPort returns a number in [TCPPorts].
func ByTCPPort(port uint16) Selector { return Selector{&tcpPortsTable, uint64(port)} }

// ByUDPPort returns a number in [UDPPorts].
func ByUDPPort(port uint16) Selector { return Selector{&udpPortsTable, uint64(port)} }

// ByICMPv6Type returns a number in [ICMPv6Types].
func ByICMPv6Type(t ICMPv6Type) Selector { return Selector{&icmpv6TypesTable, uint64(t)} }

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
	// uncommon says that an entry concerns what [Packet.Decode] does without
	// asking any table.
	uncommon bool
	overlay  map[Selector]Kind
	foreign  []*Protocol // kinds from builtinKinds on
}

// Default is the protocols of this package, with no port bound to any. It is not
// to be assigned to: packets without a Registry take it for granted.
var Default = &Registry{}

// With returns a registry with more bindings; a later one replaces an earlier
// one for the same number.
func (r *Registry) With(bindings ...Binding) *Registry {
	n := &Registry{overlay: map[Selector]Kind{}}
	if r != nil {
		n.overlaid, n.uncommon = r.overlaid, r.uncommon
		maps.Copy(n.overlay, r.overlay)
		n.foreign = slices.Clone(r.foreign)
	}
	for _, b := range bindings {
		n.overlay[b.At] = n.add(b.Protocol)
		n.overlaid |= cmp.Or(b.At.Table.bit, overlaidForeign)
		n.uncommon = n.uncommon || b.At.common()
	}
	return n
}

// common reports whether s concerns plain packets: Ethernet, IP, TCP or UDP, and
// what TCP's ports announce. Tunnels are bound to UDP's by many, so Decode asks
// whether there are any.
func (s Selector) common() bool {
	switch s.Table {
	case &linkTypesTable:
		return link.Type(s.Number) == link.TypeEthernet
	case &etherTypesTable:
		t := EtherType(s.Number)
		return t == EtherTypeIPv4 || t == EtherTypeIPv6
	case &ipProtosTable:
		t := IPProto(s.Number)
		return t == IPProtoTCP || t == IPProtoUDP
	case &tcpPortsTable:
		return true
	}
	return false
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

// protocol returns the protocol with number k.
func (r *Registry) protocol(k Kind) *Protocol {
	if k < builtinKinds {
		return builtin[k]
	}
	return r.foreign[k-builtinKinds]
}

// has reports whether k is the number of a protocol.
func (r *Registry) has(k Kind) bool {
	return k < builtinKinds || int(k-builtinKinds) < len(r.foreign)
}

// Next returns the protocol that number n announces in table t, and KindRaw
// when none is known.
func (r *Registry) Next(t *Table, n uint64) Kind {
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
		return r.Next(&etherTypesTable, uint64(t))
	}
	return etherTypeKind(t)
}

func (r *Registry) ipProto(p IPProto) Kind {
	if r.overlaid&overlaidIPProtos != 0 {
		return r.Next(&ipProtosTable, uint64(p))
	}
	return ipProtoKind(p)
}

func (r *Registry) icmpv6Type(t ICMPv6Type) Kind {
	if r.overlaid&overlaidICMPv6Types != 0 {
		return r.Next(&icmpv6TypesTable, uint64(t))
	}
	return icmpv6TypeKind(t)
}

func (r *Registry) ports(t *Table, src, dst uint16) Kind {
	if r.overlaid&t.bit == 0 {
		return KindRaw
	}
	if k := r.Next(t, uint64(dst)); k != KindRaw {
		return k
	}
	return r.Next(t, uint64(src))
}

// Number returns the number that announces p in table t, for encoding: the
// first one that p itself says it is found at, unless r has bound that to
// another protocol and p to another number. It is false when there is none.
func (r *Registry) Number(t *Table, p *Protocol) (uint64, bool) {
	own, ok := uint64(0), false
	for i := range p.At {
		if s := &p.At[i]; s.Table == t {
			own, ok = s.Number, true
			break
		}
	}
	if r == nil || r.overlaid&cmp.Or(t.bit, overlaidForeign) == 0 {
		return own, ok
	}
	k, known := r.kindOf(p)
	if !known || ok && r.Next(t, own) == k {
		return own, ok
	}
	// The lowest number that a program bound p to, so that the answer is always
	// the same.
	bound, best := false, uint64(0)
	for s, o := range r.overlay {
		if s.Table == t && o == k && (!bound || s.Number < best) {
			bound, best = true, s.Number
		}
	}
	if bound {
		return best, true
	}
	return own, ok
}

// Bindings yields what announces what, in the order of the tables and numbers:
// what a program can take away or replace.
func (r *Registry) Bindings() iter.Seq2[Selector, *Protocol] {
	return func(yield func(Selector, *Protocol) bool) {
		tables := []*Table{LinkTypes, EtherTypes, IPProtos, TCPPorts, UDPPorts, LLCSAPs, LoopbackFamilies, ICMPv6Types, SNAPProtocols}
		var found []Selector
		for _, t := range tables {
			if t.builtin == nil {
				continue
			}
			for n := range t.max + 1 {
				if t.builtin(n) != KindRaw {
					found = append(found, Selector{t, n})
				}
			}
		}
		if r != nil {
			for s := range r.overlay {
				if s.Table.builtin == nil || s.Table.builtin(s.Number) == KindRaw {
					found = append(found, s)
				}
			}
		}
		place := func(t *Table) int {
			if i := slices.Index(tables, t); i >= 0 {
				return i
			}
			return len(tables)
		}
		slices.SortFunc(found, func(a, b Selector) int {
			return cmp.Or(cmp.Compare(place(a.Table), place(b.Table)), cmp.Compare(a.Table.name, b.Table.name), cmp.Compare(a.Number, b.Number))
		})
		for _, s := range found {
			if k := r.Next(s.Table, s.Number); k != KindRaw && !yield(s, r.protocol(k)) {
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
