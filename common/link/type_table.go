package link

// The registry as of August 2026. The values 147 to 162 are for private use;
// 208 was set aside and never assigned.
const (
	TypeNull                   Type = 0   // BSD loopback: address family in the capturing machine's byte order
	TypeEthernet               Type = 1   // IEEE 802.3 Ethernet
	TypeExpEthernet            Type = 2   // Xerox experimental 3 Mb/s Ethernet
	TypeAX25                   Type = 3   // AX.25 layer 2
	TypeProNET                 Type = 4   // Proteon ProNET token ring (reserved)
	TypeChaos                  Type = 5   // MIT Chaosnet (reserved)
	TypeIEEE8025               Type = 6   // IEEE 802.5 token ring
	TypeARCNETBSD              Type = 7   // ARCNET with BSD encapsulation
	TypeSLIP                   Type = 8   // SLIP with a direction header
	TypePPP                    Type = 9   // PPP
	TypeFDDI                   Type = 10  // FDDI
	TypeRedbackSmartEdge       Type = 32  // Redback SmartEdge 400 and 800
	TypePPPHDLC                Type = 50  // PPP in HDLC-like framing, RFC 1662, or Cisco HDLC
	TypePPPEther               Type = 51  // PPPoE session packets, RFC 2516
	TypeSymantecFirewall       Type = 99  // Symantec Enterprise Firewall
	TypeATMRFC1483             Type = 100 // ATM with LLC/SNAP encapsulation, RFC 1483
	TypeRaw                    Type = 101 // IPv4 or IPv6, told apart by the version nibble
	TypeSLIPBSDOS              Type = 102 // BSD/OS SLIP
	TypePPPBSDOS               Type = 103 // BSD/OS PPP
	TypeCHDLC                  Type = 104 // Cisco HDLC, and PPP in its framing
	TypeIEEE80211              Type = 105 // IEEE 802.11
	TypeATMCLIP                Type = 106 // Linux classical IP over ATM
	TypeFRelay                 Type = 107 // Frame Relay LAPF
	TypeLoop                   Type = 108 // OpenBSD loopback: address family in network byte order
	TypeEnc                    Type = 109 // OpenBSD IPsec encapsulation device
	TypeLANE8023               Type = 110 // ATM LAN emulation with IEEE 802.3
	TypeHIPPI                  Type = 111 // NetBSD HIPPI
	TypeNetBSDHDLC             Type = 112 // NetBSD Cisco HDLC framing
	TypeLinuxSLL               Type = 113 // Linux cooked capture, version 1
	TypeLTalk                  Type = 114 // Apple LocalTalk
	TypeEconet                 Type = 115 // Acorn Econet
	TypeIPFilter               Type = 116 // OpenBSD ipfilter log
	TypePFLog                  Type = 117 // packet filter log, with the saving system's pfloghdr
	TypeCiscoIOS               Type = 118 // Cisco, internal use
	TypeIEEE80211Prism         Type = 119 // IEEE 802.11 after Prism monitor information
	TypeIEEE80211Aironet       Type = 120 // IEEE 802.11 after an Aironet header (reserved)
	TypeHHDLC                  Type = 121 // Siemens HiPath HDLC
	TypeIPOverFC               Type = 122 // IP and ATM over Fibre Channel, RFC 2625
	TypeSunATM                 Type = 123 // ATM from a SunATM device
	TypeRIO                    Type = 124 // RapidIO
	TypePCIExp                 Type = 125 // PCI Express
	TypeAurora                 Type = 126 // Xilinx Aurora
	TypeIEEE80211Radiotap      Type = 127 // IEEE 802.11 after radiotap information
	TypeTZSP                   Type = 128 // Tazmen Sniffer Protocol
	TypeARCNETLinux            Type = 129 // ARCNET with Linux encapsulation
	TypeJuniperMLPPP           Type = 130 // Juniper, private: multilink PPP
	TypeJuniperMLFR            Type = 131 // Juniper, private: multilink Frame Relay
	TypeJuniperES              Type = 132 // Juniper, private: encryption services
	TypeJuniperGGSN            Type = 133 // Juniper, private: GGSN
	TypeJuniperMFR             Type = 134 // Juniper, private: FRF.16 Frame Relay
	TypeJuniperATM2            Type = 135 // Juniper, private: ATM2
	TypeJuniperServices        Type = 136 // Juniper, private: services
	TypeJuniperATM1            Type = 137 // Juniper, private: ATM1
	TypeAppleIPOverIEEE1394    Type = 138 // Apple IP over IEEE 1394, cooked header
	TypeMTP2WithPHdr           Type = 139 // SS7 MTP2 after a pseudo-header
	TypeMTP2                   Type = 140 // SS7 MTP2
	TypeMTP3                   Type = 141 // SS7 MTP3
	TypeSCCP                   Type = 142 // SS7 SCCP
	TypeDOCSIS                 Type = 143 // DOCSIS MAC frames
	TypeLinuxIrDA              Type = 144 // Linux IrDA
	TypeIBMSP                  Type = 145 // IBM SP switch
	TypeIBMSN                  Type = 146 // IBM Next Federation switch
	TypeUser0                  Type = 147 // private use
	TypeUser1                  Type = 148 // private use
	TypeUser2                  Type = 149 // private use
	TypeUser3                  Type = 150 // private use
	TypeUser4                  Type = 151 // private use
	TypeUser5                  Type = 152 // private use
	TypeUser6                  Type = 153 // private use
	TypeUser7                  Type = 154 // private use
	TypeUser8                  Type = 155 // private use
	TypeUser9                  Type = 156 // private use
	TypeUser10                 Type = 157 // private use
	TypeUser11                 Type = 158 // private use
	TypeUser12                 Type = 159 // private use
	TypeUser13                 Type = 160 // private use
	TypeUser14                 Type = 161 // private use
	TypeUser15                 Type = 162 // private use
	TypeIEEE80211AVS           Type = 163 // IEEE 802.11 after AVS monitor information
	TypeJuniperMonitor         Type = 164 // Juniper, private: monitor
	TypeBACnetMSTP             Type = 165 // BACnet MS/TP
	TypePPPPPPD                Type = 166 // PPP after a direction byte and an HDLC-like control field
	TypeJuniperPPPoE           Type = 167 // Juniper, private: PPPoE
	TypeJuniperPPPoEATM        Type = 168 // Juniper, private: PPPoE over ATM
	TypeGPRSLLC                Type = 169 // GPRS logical link control, 3GPP TS 04.64
	TypeGPFT                   Type = 170 // transparent-mapped generic framing procedure, ITU-T G.7041
	TypeGPFF                   Type = 171 // frame-mapped generic framing procedure, ITU-T G.7041
	TypeGcomT1E1               Type = 172 // Gcom T1/E1 line monitor
	TypeGcomSerial             Type = 173 // Gcom serial line monitor
	TypeJuniperPICPeer         Type = 174 // Juniper, private: PIC peer
	TypeERFETH                 Type = 175 // Endace ERF records of Ethernet
	TypeERFPOS                 Type = 176 // Endace ERF records of packet over SONET
	TypeLinuxLAPD              Type = 177 // Linux vISDN LAPD
	TypeJuniperEther           Type = 178 // Juniper, private: Ethernet after metadata
	TypeJuniperPPP             Type = 179 // Juniper, private: PPP after metadata
	TypeJuniperFRelay          Type = 180 // Juniper, private: Frame Relay after metadata
	TypeJuniperCHDLC           Type = 181 // Juniper, private: Cisco HDLC after metadata
	TypeMFR                    Type = 182 // multilink Frame Relay, FRF.16.1
	TypeJuniperVP              Type = 183 // Juniper, private: voice PIC
	TypeA429                   Type = 184 // ARINC 429 words, little-endian
	TypeA653ICM                Type = 185 // ARINC 653 interpartition messages
	TypeUSBFreeBSD             Type = 186 // USB after a FreeBSD header
	TypeBluetoothHCIH4         Type = 187 // Bluetooth HCI UART transport
	TypeIEEE80216MACCPS        Type = 188 // IEEE 802.16 MAC common part sublayer
	TypeUSBLinux               Type = 189 // USB after a Linux header
	TypeCAN20B                 Type = 190 // CAN 2.0B
	TypeIEEE802154Linux        Type = 191 // IEEE 802.15.4 with addresses padded as Linux drivers did
	TypePPI                    Type = 192 // packet after per-packet information
	TypeIEEE80216MACCPSRadio   Type = 193 // IEEE 802.16 MAC common part sublayer after radiotap information
	TypeJuniperISM             Type = 194 // Juniper, private: integrated service module
	TypeIEEE802154WithFCS      Type = 195 // IEEE 802.15.4 with FCS
	TypeSITA                   Type = 196 // various links after a SITA pseudo-header
	TypeERF                    Type = 197 // Endace ERF records
	TypeRAIF1                  Type = 198 // Ethernet after a u10 Networks header
	TypeIPMBKontron            Type = 199 // IPMB after a Kontron header
	TypeJuniperST              Type = 200 // Juniper, private: secure tunnel
	TypeBluetoothHCIH4WithPHdr Type = 201 // Bluetooth HCI UART transport after a direction header
	TypeAX25KISS               Type = 202 // KISS frames of an AX.25 controller
	TypeLAPD                   Type = 203 // LAPD, ITU-T Q.921
	TypePPPWithDir             Type = 204 // PPP after a direction byte
	TypeCHDLCWithDir           Type = 205 // Cisco HDLC after a direction byte
	TypeFRelayWithDir          Type = 206 // Frame Relay LAPF after a direction byte
	TypeLAPBWithDir            Type = 207 // X.25 LAPB after a direction byte
	TypeI2CLinux               Type = 209 // Linux I2C, and IPMB on it
	TypeFlexRay                Type = 210 // FlexRay after a pseudo-header
	TypeMOST                   Type = 211 // MOST multimedia bus
	TypeLIN                    Type = 212 // LIN bus after a metadata header
	TypeX2ESerial              Type = 213 // X2E, private: serial line
	TypeX2EXoraya              Type = 214 // X2E, private: Xoraya data logger
	TypeIEEE802154NonASKPHY    Type = 215 // IEEE 802.15.4 with its PHY header
	TypeLinuxEvdev             Type = 216 // Linux input events
	TypeGSMTAPUm               Type = 217 // GSM Um interface after a gsmtap header
	TypeGSMTAPAbis             Type = 218 // GSM Abis interface after a gsmtap header
	TypeMPLS                   Type = 219 // MPLS label stack
	TypeUSBLinuxMmapped        Type = 220 // USB after an extended Linux header
	TypeDECT                   Type = 221 // DECT after a pseudo-header
	TypeAOS                    Type = 222 // CCSDS AOS space data link
	TypeWiHART                 Type = 223 // WirelessHART
	TypeFC2                    Type = 224 // Fibre Channel FC-2
	TypeFC2WithFrameDelims     Type = 225 // Fibre Channel FC-2 with frame delimiters
	TypeIPNET                  Type = 226 // Solaris ipnet
	TypeCANSocketCAN           Type = 227 // CAN after a Linux SocketCAN header
	TypeIPv4                   Type = 228 // IPv4
	TypeIPv6                   Type = 229 // IPv6
	TypeIEEE802154NoFCS        Type = 230 // IEEE 802.15.4 without FCS
	TypeDBus                   Type = 231 // D-Bus messages
	TypeJuniperVS              Type = 232 // Juniper, private: virtual server
	TypeJuniperSRXE2E          Type = 233 // Juniper, private: SRX end to end
	TypeJuniperFibreChannel    Type = 234 // Juniper, private: Fibre Channel
	TypeDVBCI                  Type = 235 // DVB common interface after a pseudo-header
	TypeMux27010               Type = 236 // variant of 3GPP TS 27.010 multiplexing
	TypeSTANAG5066DPDU         Type = 237 // STANAG 5066 D_PDUs
	TypeJuniperATMCEMIC        Type = 238 // Juniper, private: ATM circuit emulation
	TypeNFLOG                  Type = 239 // Linux netfilter log messages
	TypeNetAnalyzer            Type = 240 // Ethernet after a Hilscher netANALYZER header
	TypeNetAnalyzerTransparent Type = 241 // Ethernet with preamble after a Hilscher netANALYZER header
	TypeIPoIB                  Type = 242 // IP over InfiniBand, RFC 4391
	TypeMPEG2TS                Type = 243 // MPEG-2 transport stream
	TypeNG40                   Type = 244 // ng4T ng40 protocol tester
	TypeNFCLLCP                Type = 245 // NFC LLCP after a pseudo-header
	TypePFSync                 Type = 246 // packet filter state synchronisation
	TypeInfiniBand             Type = 247 // InfiniBand
	TypeSCTP                   Type = 248 // SCTP, RFC 9260
	TypeUSBPcap                Type = 249 // USB after a USBPcap header
	TypeRTACSerial             Type = 250 // serial line of an SEL RTAC
	TypeBluetoothLELL          Type = 251 // Bluetooth low energy link layer
	TypeWiresharkUpperPDU      Type = 252 // upper-layer data saved by Wireshark, after tags
	TypeNetlink                Type = 253 // Linux netlink, after a cooked header
	TypeBluetoothLinuxMonitor  Type = 254 // Linux Bluetooth monitor
	TypeBluetoothBREDRBB       Type = 255 // Bluetooth BR/EDR baseband
	TypeBluetoothLELLWithPHdr  Type = 256 // Bluetooth low energy link layer after a pseudo-header
	TypePROFIBUSDL             Type = 257 // PROFIBUS data link
	TypePKTAP                  Type = 258 // Apple PKTAP
	TypeEPON                   Type = 259 // Ethernet passive optical network, with preamble
	TypeIPMIHPM2               Type = 260 // IPMI HPM.2 trace
	TypeZWaveR1R2              Type = 261 // Z-Wave radio profiles R1 and R2
	TypeZWaveR3                Type = 262 // Z-Wave radio profile R3
	TypeWattStopperDLM         Type = 263 // WattStopper digital lighting management
	TypeISO14443               Type = 264 // ISO 14443 contactless cards
	TypeRDS                    Type = 265 // radio data system groups, IEC 62106
	TypeUSBDarwin              Type = 266 // USB after a macOS header
	TypeOpenFlow               Type = 267 // OpenFlow after an OpenBSD switch header
	TypeSDLC                   Type = 268 // SNA SDLC
	TypeTILLNSniffer           Type = 269 // Texas Instruments low-power network sniffer
	TypeLoRaTap                Type = 270 // LoRaWAN after a LoRaTap header
	TypeVSock                  Type = 271 // Linux vsock monitor
	TypeNordicBLE              Type = 272 // Nordic Semiconductor Bluetooth low energy sniffer
	TypeDOCSIS31XRA31          Type = 273 // DOCSIS 3.1 after an Excentis XRA-31 header
	TypeEthernetMPacket        Type = 274 // IEEE 802.3 mPackets, with preamble
	TypeDisplayPortAUX         Type = 275 // DisplayPort AUX channel
	TypeLinuxSLL2              Type = 276 // Linux cooked capture, version 2
	TypeSercosMonitor          Type = 277 // Sercos monitor
	TypeOpenVizsla             Type = 278 // OpenVizsla USB sniffer
	TypeEBHSCR                 Type = 279 // Elektrobit high speed capture and replay
	TypeVPPDispatch            Type = 280 // fd.io VPP graph dispatcher trace
	TypeDSATagBRCM             Type = 281 // Ethernet with a Broadcom switch tag after the addresses
	TypeDSATagBRCMPrepend      Type = 282 // Ethernet after a Broadcom switch tag
	TypeIEEE802154TAP          Type = 283 // IEEE 802.15.4 after metadata TLVs
	TypeDSATagDSA              Type = 284 // Ethernet with a Marvell DSA switch tag
	TypeDSATagEDSA             Type = 285 // Ethernet with a Marvell EDSA switch tag
	TypeELEE                   Type = 286 // ELEE lawful interception (reserved)
	TypeZWaveSerial            Type = 287 // serial line between host and Z-Wave chip
	TypeUSB20                  Type = 288 // USB 2.0, 1.1 or 1.0 as on the wire, speed unknown
	TypeATSCALP                Type = 289 // ATSC link-layer protocol, A/330
	TypeETW                    Type = 290 // Event Tracing for Windows
	TypeNetAnalyzerNG          Type = 291 // Hilscher netANALYZER NG (reserved)
	TypeZBOSSNCP               Type = 292 // ZBOSS NCP serial protocol after a pseudo-header
	TypeUSB20LowSpeed          Type = 293 // low-speed USB as on the wire
	TypeUSB20FullSpeed         Type = 294 // full-speed USB as on the wire
	TypeUSB20HighSpeed         Type = 295 // high-speed USB as on the wire
	TypeAuerswaldLog           Type = 296 // Auerswald logger protocol
	TypeZWaveTAP               Type = 297 // Z-Wave after a metadata header
	TypeSiLabsDebugChannel     Type = 298 // Silicon Labs debug channel
	TypeFiRaUCI                Type = 299 // FiRa ultra-wideband controller interface
	TypeMDB                    Type = 300 // multi-drop bus after a pseudo-header
	TypeDECTNR                 Type = 301 // DECT-2020 New Radio MAC
	TypeEDK2MM                 Type = 302 // edk2 management mode requests
	TypeDebugOnly              Type = 303 // unstructured data, for debugging
	TypeDECTNRTAP              Type = 304 // DECT-2020 New Radio MAC after a metadata header
)

// typeMax is the highest assigned value.
const typeMax = TypeDECTNRTAP

// typeInfo returns the registry's name of t without LINKTYPE_, the name without
// DLT_ where one exists, and what the frames are. All are empty for a value
// that is not assigned. A few values have a DLT_ name only; those go by the
// name that libpcap's own source gives them.
func typeInfo(t Type) (name, dlt, description string) {
	switch t {
	case TypeNull:
		return "NULL", "NULL", "BSD loopback: address family in the capturing machine's byte order"
	case TypeEthernet:
		return "ETHERNET", "EN10MB", "IEEE 802.3 Ethernet"
	case TypeExpEthernet:
		return "EXP_ETHERNET", "EN3MB", "Xerox experimental 3 Mb/s Ethernet"
	case TypeAX25:
		return "AX25", "AX25", "AX.25 layer 2"
	case TypeProNET:
		return "PRONET", "PRONET", "Proteon ProNET token ring (reserved)"
	case TypeChaos:
		return "CHAOS", "CHAOS", "MIT Chaosnet (reserved)"
	case TypeIEEE8025:
		return "IEEE802_5", "IEEE802", "IEEE 802.5 token ring"
	case TypeARCNETBSD:
		return "ARCNET_BSD", "ARCNET", "ARCNET with BSD encapsulation"
	case TypeSLIP:
		return "SLIP", "SLIP", "SLIP with a direction header"
	case TypePPP:
		return "PPP", "PPP", "PPP"
	case TypeFDDI:
		return "FDDI", "FDDI", "FDDI"
	case TypeRedbackSmartEdge:
		return "REDBACK_SMARTEDGE", "REDBACK_SMARTEDGE", "Redback SmartEdge 400 and 800"
	case TypePPPHDLC:
		return "PPP_HDLC", "PPP_SERIAL", "PPP in HDLC-like framing, RFC 1662, or Cisco HDLC"
	case TypePPPEther:
		return "PPP_ETHER", "PPP_ETHER", "PPPoE session packets, RFC 2516"
	case TypeSymantecFirewall:
		return "SYMANTEC_FIREWALL", "SYMANTEC_FIREWALL", "Symantec Enterprise Firewall"
	case TypeATMRFC1483:
		return "ATM_RFC1483", "ATM_RFC1483", "ATM with LLC/SNAP encapsulation, RFC 1483"
	case TypeRaw:
		return "RAW", "RAW", "IPv4 or IPv6, told apart by the version nibble"
	case TypeSLIPBSDOS:
		return "SLIP_BSDOS", "SLIP_BSDOS", "BSD/OS SLIP"
	case TypePPPBSDOS:
		return "PPP_BSDOS", "PPP_BSDOS", "BSD/OS PPP"
	case TypeCHDLC:
		return "C_HDLC", "C_HDLC", "Cisco HDLC, and PPP in its framing"
	case TypeIEEE80211:
		return "IEEE802_11", "IEEE802_11", "IEEE 802.11"
	case TypeATMCLIP:
		return "ATM_CLIP", "ATM_CLIP", "Linux classical IP over ATM"
	case TypeFRelay:
		return "FRELAY", "FRELAY", "Frame Relay LAPF"
	case TypeLoop:
		return "LOOP", "LOOP", "OpenBSD loopback: address family in network byte order"
	case TypeEnc:
		return "ENC", "ENC", "OpenBSD IPsec encapsulation device"
	case TypeLANE8023:
		return "LANE8023", "", "ATM LAN emulation with IEEE 802.3"
	case TypeHIPPI:
		return "HIPPI", "HIPPI", "NetBSD HIPPI"
	case TypeNetBSDHDLC:
		return "NETBSD_HDLC", "HDLC", "NetBSD Cisco HDLC framing"
	case TypeLinuxSLL:
		return "LINUX_SLL", "LINUX_SLL", "Linux cooked capture, version 1"
	case TypeLTalk:
		return "LTALK", "LTALK", "Apple LocalTalk"
	case TypeEconet:
		return "ECONET", "ECONET", "Acorn Econet"
	case TypeIPFilter:
		return "IPFILTER", "IPFILTER", "OpenBSD ipfilter log"
	case TypePFLog:
		return "PFLOG", "PFLOG", "packet filter log, with the saving system's pfloghdr"
	case TypeCiscoIOS:
		return "CISCO_IOS", "CISCO_IOS", "Cisco, internal use"
	case TypeIEEE80211Prism:
		return "IEEE802_11_PRISM", "PRISM_HEADER", "IEEE 802.11 after Prism monitor information"
	case TypeIEEE80211Aironet:
		return "IEEE802_11_AIRONET", "AIRONET_HEADER", "IEEE 802.11 after an Aironet header (reserved)"
	case TypeHHDLC:
		return "HHDLC", "HHDLC", "Siemens HiPath HDLC"
	case TypeIPOverFC:
		return "IP_OVER_FC", "IP_OVER_FC", "IP and ATM over Fibre Channel, RFC 2625"
	case TypeSunATM:
		return "SUNATM", "SUNATM", "ATM from a SunATM device"
	case TypeRIO:
		return "RIO", "RIO", "RapidIO"
	case TypePCIExp:
		return "PCI_EXP", "PCI_EXP", "PCI Express"
	case TypeAurora:
		return "AURORA", "AURORA", "Xilinx Aurora"
	case TypeIEEE80211Radiotap:
		return "IEEE802_11_RADIOTAP", "IEEE802_11_RADIO", "IEEE 802.11 after radiotap information"
	case TypeTZSP:
		return "TZSP", "TZSP", "Tazmen Sniffer Protocol"
	case TypeARCNETLinux:
		return "ARCNET_LINUX", "ARCNET_LINUX", "ARCNET with Linux encapsulation"
	case TypeJuniperMLPPP:
		return "JUNIPER_MLPPP", "JUNIPER_MLPPP", "Juniper, private: multilink PPP"
	case TypeJuniperMLFR:
		return "JUNIPER_MLFR", "JUNIPER_MLFR", "Juniper, private: multilink Frame Relay"
	case TypeJuniperES:
		return "JUNIPER_ES", "JUNIPER_ES", "Juniper, private: encryption services"
	case TypeJuniperGGSN:
		return "JUNIPER_GGSN", "JUNIPER_GGSN", "Juniper, private: GGSN"
	case TypeJuniperMFR:
		return "JUNIPER_MFR", "JUNIPER_MFR", "Juniper, private: FRF.16 Frame Relay"
	case TypeJuniperATM2:
		return "JUNIPER_ATM2", "JUNIPER_ATM2", "Juniper, private: ATM2"
	case TypeJuniperServices:
		return "JUNIPER_SERVICES", "JUNIPER_SERVICES", "Juniper, private: services"
	case TypeJuniperATM1:
		return "JUNIPER_ATM1", "JUNIPER_ATM1", "Juniper, private: ATM1"
	case TypeAppleIPOverIEEE1394:
		return "APPLE_IP_OVER_IEEE1394", "APPLE_IP_OVER_IEEE1394", "Apple IP over IEEE 1394, cooked header"
	case TypeMTP2WithPHdr:
		return "MTP2_WITH_PHDR", "MTP2_WITH_PHDR", "SS7 MTP2 after a pseudo-header"
	case TypeMTP2:
		return "MTP2", "MTP2", "SS7 MTP2"
	case TypeMTP3:
		return "MTP3", "MTP3", "SS7 MTP3"
	case TypeSCCP:
		return "SCCP", "SCCP", "SS7 SCCP"
	case TypeDOCSIS:
		return "DOCSIS", "DOCSIS", "DOCSIS MAC frames"
	case TypeLinuxIrDA:
		return "LINUX_IRDA", "LINUX_IRDA", "Linux IrDA"
	case TypeIBMSP:
		return "IBM_SP", "IBM_SP", "IBM SP switch"
	case TypeIBMSN:
		return "IBM_SN", "IBM_SN", "IBM Next Federation switch"
	case TypeUser0:
		return "USER0", "USER0", "private use"
	case TypeUser1:
		return "USER1", "USER1", "private use"
	case TypeUser2:
		return "USER2", "USER2", "private use"
	case TypeUser3:
		return "USER3", "USER3", "private use"
	case TypeUser4:
		return "USER4", "USER4", "private use"
	case TypeUser5:
		return "USER5", "USER5", "private use"
	case TypeUser6:
		return "USER6", "USER6", "private use"
	case TypeUser7:
		return "USER7", "USER7", "private use"
	case TypeUser8:
		return "USER8", "USER8", "private use"
	case TypeUser9:
		return "USER9", "USER9", "private use"
	case TypeUser10:
		return "USER10", "USER10", "private use"
	case TypeUser11:
		return "USER11", "USER11", "private use"
	case TypeUser12:
		return "USER12", "USER12", "private use"
	case TypeUser13:
		return "USER13", "USER13", "private use"
	case TypeUser14:
		return "USER14", "USER14", "private use"
	case TypeUser15:
		return "USER15", "USER15", "private use"
	case TypeIEEE80211AVS:
		return "IEEE802_11_AVS", "IEEE802_11_RADIO_AVS", "IEEE 802.11 after AVS monitor information"
	case TypeJuniperMonitor:
		return "JUNIPER_MONITOR", "JUNIPER_MONITOR", "Juniper, private: monitor"
	case TypeBACnetMSTP:
		return "BACNET_MS_TP", "BACNET_MS_TP", "BACnet MS/TP"
	case TypePPPPPPD:
		return "PPP_PPPD", "PPP_PPPD", "PPP after a direction byte and an HDLC-like control field"
	case TypeJuniperPPPoE:
		return "JUNIPER_PPPOE", "JUNIPER_PPPOE", "Juniper, private: PPPoE"
	case TypeJuniperPPPoEATM:
		return "JUNIPER_PPPOE_ATM", "JUNIPER_PPPOE_ATM", "Juniper, private: PPPoE over ATM"
	case TypeGPRSLLC:
		return "GPRS_LLC", "GPRS_LLC", "GPRS logical link control, 3GPP TS 04.64"
	case TypeGPFT:
		return "GPF_T", "GPF_T", "transparent-mapped generic framing procedure, ITU-T G.7041"
	case TypeGPFF:
		return "GPF_F", "GPF_F", "frame-mapped generic framing procedure, ITU-T G.7041"
	case TypeGcomT1E1:
		return "GCOM_T1E1", "GCOM_T1E1", "Gcom T1/E1 line monitor"
	case TypeGcomSerial:
		return "GCOM_SERIAL", "GCOM_SERIAL", "Gcom serial line monitor"
	case TypeJuniperPICPeer:
		return "JUNIPER_PIC_PEER", "JUNIPER_PIC_PEER", "Juniper, private: PIC peer"
	case TypeERFETH:
		return "ERF_ETH", "ERF_ETH", "Endace ERF records of Ethernet"
	case TypeERFPOS:
		return "ERF_POS", "ERF_POS", "Endace ERF records of packet over SONET"
	case TypeLinuxLAPD:
		return "LINUX_LAPD", "LINUX_LAPD", "Linux vISDN LAPD"
	case TypeJuniperEther:
		return "JUNIPER_ETHER", "JUNIPER_ETHER", "Juniper, private: Ethernet after metadata"
	case TypeJuniperPPP:
		return "JUNIPER_PPP", "JUNIPER_PPP", "Juniper, private: PPP after metadata"
	case TypeJuniperFRelay:
		return "JUNIPER_FRELAY", "JUNIPER_FRELAY", "Juniper, private: Frame Relay after metadata"
	case TypeJuniperCHDLC:
		return "JUNIPER_CHDLC", "JUNIPER_CHDLC", "Juniper, private: Cisco HDLC after metadata"
	case TypeMFR:
		return "MFR", "MFR", "multilink Frame Relay, FRF.16.1"
	case TypeJuniperVP:
		return "JUNIPER_VP", "JUNIPER_VP", "Juniper, private: voice PIC"
	case TypeA429:
		return "A429", "A429", "ARINC 429 words, little-endian"
	case TypeA653ICM:
		return "A653_ICM", "A653_ICM", "ARINC 653 interpartition messages"
	case TypeUSBFreeBSD:
		return "USB_FREEBSD", "USB_FREEBSD", "USB after a FreeBSD header"
	case TypeBluetoothHCIH4:
		return "BLUETOOTH_HCI_H4", "BLUETOOTH_HCI_H4", "Bluetooth HCI UART transport"
	case TypeIEEE80216MACCPS:
		return "IEEE802_16_MAC_CPS", "IEEE802_16_MAC_CPS", "IEEE 802.16 MAC common part sublayer"
	case TypeUSBLinux:
		return "USB_LINUX", "USB_LINUX", "USB after a Linux header"
	case TypeCAN20B:
		return "CAN20B", "CAN20B", "CAN 2.0B"
	case TypeIEEE802154Linux:
		return "IEEE802_15_4_LINUX", "IEEE802_15_4_LINUX", "IEEE 802.15.4 with addresses padded as Linux drivers did"
	case TypePPI:
		return "PPI", "PPI", "packet after per-packet information"
	case TypeIEEE80216MACCPSRadio:
		return "IEEE802_16_MAC_CPS_RADIO", "IEEE802_16_MAC_CPS_RADIO", "IEEE 802.16 MAC common part sublayer after radiotap information"
	case TypeJuniperISM:
		return "JUNIPER_ISM", "JUNIPER_ISM", "Juniper, private: integrated service module"
	case TypeIEEE802154WithFCS:
		return "IEEE802_15_4_WITHFCS", "IEEE802_15_4_WITHFCS", "IEEE 802.15.4 with FCS"
	case TypeSITA:
		return "SITA", "SITA", "various links after a SITA pseudo-header"
	case TypeERF:
		return "ERF", "ERF", "Endace ERF records"
	case TypeRAIF1:
		return "RAIF1", "RAIF1", "Ethernet after a u10 Networks header"
	case TypeIPMBKontron:
		return "IPMB_KONTRON", "IPMB_KONTRON", "IPMB after a Kontron header"
	case TypeJuniperST:
		return "JUNIPER_ST", "JUNIPER_ST", "Juniper, private: secure tunnel"
	case TypeBluetoothHCIH4WithPHdr:
		return "BLUETOOTH_HCI_H4_WITH_PHDR", "BLUETOOTH_HCI_H4_WITH_PHDR", "Bluetooth HCI UART transport after a direction header"
	case TypeAX25KISS:
		return "AX25_KISS", "AX25_KISS", "KISS frames of an AX.25 controller"
	case TypeLAPD:
		return "LAPD", "LAPD", "LAPD, ITU-T Q.921"
	case TypePPPWithDir:
		return "PPP_WITH_DIR", "PPP_WITH_DIR", "PPP after a direction byte"
	case TypeCHDLCWithDir:
		return "C_HDLC_WITH_DIR", "C_HDLC_WITH_DIR", "Cisco HDLC after a direction byte"
	case TypeFRelayWithDir:
		return "FRELAY_WITH_DIR", "FRELAY_WITH_DIR", "Frame Relay LAPF after a direction byte"
	case TypeLAPBWithDir:
		return "LAPB_WITH_DIR", "LAPB_WITH_DIR", "X.25 LAPB after a direction byte"
	case TypeI2CLinux:
		return "I2C_LINUX", "I2C_LINUX", "Linux I2C, and IPMB on it"
	case TypeFlexRay:
		return "FLEXRAY", "FLEXRAY", "FlexRay after a pseudo-header"
	case TypeMOST:
		return "MOST", "MOST", "MOST multimedia bus"
	case TypeLIN:
		return "LIN", "LIN", "LIN bus after a metadata header"
	case TypeX2ESerial:
		return "X2E_SERIAL", "X2E_SERIAL", "X2E, private: serial line"
	case TypeX2EXoraya:
		return "X2E_XORAYA", "X2E_XORAYA", "X2E, private: Xoraya data logger"
	case TypeIEEE802154NonASKPHY:
		return "IEEE802_15_4_NONASK_PHY", "IEEE802_15_4_NONASK_PHY", "IEEE 802.15.4 with its PHY header"
	case TypeLinuxEvdev:
		return "LINUX_EVDEV", "LINUX_EVDEV", "Linux input events"
	case TypeGSMTAPUm:
		return "GSMTAP_UM", "GSMTAP_UM", "GSM Um interface after a gsmtap header"
	case TypeGSMTAPAbis:
		return "GSMTAP_ABIS", "GSMTAP_ABIS", "GSM Abis interface after a gsmtap header"
	case TypeMPLS:
		return "MPLS", "MPLS", "MPLS label stack"
	case TypeUSBLinuxMmapped:
		return "USB_LINUX_MMAPPED", "USB_LINUX_MMAPPED", "USB after an extended Linux header"
	case TypeDECT:
		return "DECT", "DECT", "DECT after a pseudo-header"
	case TypeAOS:
		return "AOS", "AOS", "CCSDS AOS space data link"
	case TypeWiHART:
		return "WIHART", "WIHART", "WirelessHART"
	case TypeFC2:
		return "FC_2", "FC_2", "Fibre Channel FC-2"
	case TypeFC2WithFrameDelims:
		return "FC_2_WITH_FRAME_DELIMS", "FC_2_WITH_FRAME_DELIMS", "Fibre Channel FC-2 with frame delimiters"
	case TypeIPNET:
		return "IPNET", "IPNET", "Solaris ipnet"
	case TypeCANSocketCAN:
		return "CAN_SOCKETCAN", "CAN_SOCKETCAN", "CAN after a Linux SocketCAN header"
	case TypeIPv4:
		return "IPV4", "IPV4", "IPv4"
	case TypeIPv6:
		return "IPV6", "IPV6", "IPv6"
	case TypeIEEE802154NoFCS:
		return "IEEE802_15_4_NOFCS", "IEEE802_15_4_NOFCS", "IEEE 802.15.4 without FCS"
	case TypeDBus:
		return "DBUS", "DBUS", "D-Bus messages"
	case TypeJuniperVS:
		return "JUNIPER_VS", "JUNIPER_VS", "Juniper, private: virtual server"
	case TypeJuniperSRXE2E:
		return "JUNIPER_SRX_E2E", "JUNIPER_SRX_E2E", "Juniper, private: SRX end to end"
	case TypeJuniperFibreChannel:
		return "JUNIPER_FIBRECHANNEL", "JUNIPER_FIBRECHANNEL", "Juniper, private: Fibre Channel"
	case TypeDVBCI:
		return "DVB_CI", "DVB_CI", "DVB common interface after a pseudo-header"
	case TypeMux27010:
		return "MUX27010", "MUX27010", "variant of 3GPP TS 27.010 multiplexing"
	case TypeSTANAG5066DPDU:
		return "STANAG_5066_D_PDU", "STANAG_5066_D_PDU", "STANAG 5066 D_PDUs"
	case TypeJuniperATMCEMIC:
		return "JUNIPER_ATM_CEMIC", "JUNIPER_ATM_CEMIC", "Juniper, private: ATM circuit emulation"
	case TypeNFLOG:
		return "NFLOG", "NFLOG", "Linux netfilter log messages"
	case TypeNetAnalyzer:
		return "NETANALYZER", "NETANALYZER", "Ethernet after a Hilscher netANALYZER header"
	case TypeNetAnalyzerTransparent:
		return "NETANALYZER_TRANSPARENT", "NETANALYZER_TRANSPARENT", "Ethernet with preamble after a Hilscher netANALYZER header"
	case TypeIPoIB:
		return "IPOIB", "IPOIB", "IP over InfiniBand, RFC 4391"
	case TypeMPEG2TS:
		return "MPEG_2_TS", "MPEG_2_TS", "MPEG-2 transport stream"
	case TypeNG40:
		return "NG40", "NG40", "ng4T ng40 protocol tester"
	case TypeNFCLLCP:
		return "NFC_LLCP", "NFC_LLCP", "NFC LLCP after a pseudo-header"
	case TypePFSync:
		return "PFSYNC", "PFSYNC", "packet filter state synchronisation"
	case TypeInfiniBand:
		return "INFINIBAND", "INFINIBAND", "InfiniBand"
	case TypeSCTP:
		return "SCTP", "SCTP", "SCTP, RFC 9260"
	case TypeUSBPcap:
		return "USBPCAP", "USBPCAP", "USB after a USBPcap header"
	case TypeRTACSerial:
		return "RTAC_SERIAL", "RTAC_SERIAL", "serial line of an SEL RTAC"
	case TypeBluetoothLELL:
		return "BLUETOOTH_LE_LL", "BLUETOOTH_LE_LL", "Bluetooth low energy link layer"
	case TypeWiresharkUpperPDU:
		return "WIRESHARK_UPPER_PDU", "WIRESHARK_UPPER_PDU", "upper-layer data saved by Wireshark, after tags"
	case TypeNetlink:
		return "NETLINK", "NETLINK", "Linux netlink, after a cooked header"
	case TypeBluetoothLinuxMonitor:
		return "BLUETOOTH_LINUX_MONITOR", "BLUETOOTH_LINUX_MONITOR", "Linux Bluetooth monitor"
	case TypeBluetoothBREDRBB:
		return "BLUETOOTH_BREDR_BB", "BLUETOOTH_BREDR_BB", "Bluetooth BR/EDR baseband"
	case TypeBluetoothLELLWithPHdr:
		return "BLUETOOTH_LE_LL_WITH_PHDR", "BLUETOOTH_LE_LL_WITH_PHDR", "Bluetooth low energy link layer after a pseudo-header"
	case TypePROFIBUSDL:
		return "PROFIBUS_DL", "PROFIBUS_DL", "PROFIBUS data link"
	case TypePKTAP:
		return "PKTAP", "PKTAP", "Apple PKTAP"
	case TypeEPON:
		return "EPON", "EPON", "Ethernet passive optical network, with preamble"
	case TypeIPMIHPM2:
		return "IPMI_HPM_2", "IPMI_HPM_2", "IPMI HPM.2 trace"
	case TypeZWaveR1R2:
		return "ZWAVE_R1_R2", "ZWAVE_R1_R2", "Z-Wave radio profiles R1 and R2"
	case TypeZWaveR3:
		return "ZWAVE_R3", "ZWAVE_R3", "Z-Wave radio profile R3"
	case TypeWattStopperDLM:
		return "WATTSTOPPER_DLM", "WATTSTOPPER_DLM", "WattStopper digital lighting management"
	case TypeISO14443:
		return "ISO_14443", "ISO_14443", "ISO 14443 contactless cards"
	case TypeRDS:
		return "RDS", "RDS", "radio data system groups, IEC 62106"
	case TypeUSBDarwin:
		return "USB_DARWIN", "USB_DARWIN", "USB after a macOS header"
	case TypeOpenFlow:
		return "OPENFLOW", "OPENFLOW", "OpenFlow after an OpenBSD switch header"
	case TypeSDLC:
		return "SDLC", "SDLC", "SNA SDLC"
	case TypeTILLNSniffer:
		return "TI_LLN_SNIFFER", "TI_LLN_SNIFFER", "Texas Instruments low-power network sniffer"
	case TypeLoRaTap:
		return "LORATAP", "LORATAP", "LoRaWAN after a LoRaTap header"
	case TypeVSock:
		return "VSOCK", "VSOCK", "Linux vsock monitor"
	case TypeNordicBLE:
		return "NORDIC_BLE", "NORDIC_BLE", "Nordic Semiconductor Bluetooth low energy sniffer"
	case TypeDOCSIS31XRA31:
		return "DOCSIS31_XRA31", "DOCSIS31_XRA31", "DOCSIS 3.1 after an Excentis XRA-31 header"
	case TypeEthernetMPacket:
		return "ETHERNET_MPACKET", "ETHERNET_MPACKET", "IEEE 802.3 mPackets, with preamble"
	case TypeDisplayPortAUX:
		return "DISPLAYPORT_AUX", "DISPLAYPORT_AUX", "DisplayPort AUX channel"
	case TypeLinuxSLL2:
		return "LINUX_SLL2", "LINUX_SLL2", "Linux cooked capture, version 2"
	case TypeSercosMonitor:
		return "SERCOS_MONITOR", "SERCOS_MONITOR", "Sercos monitor"
	case TypeOpenVizsla:
		return "OPENVIZSLA", "OPENVIZSLA", "OpenVizsla USB sniffer"
	case TypeEBHSCR:
		return "EBHSCR", "EBHSCR", "Elektrobit high speed capture and replay"
	case TypeVPPDispatch:
		return "VPP_DISPATCH", "VPP_DISPATCH", "fd.io VPP graph dispatcher trace"
	case TypeDSATagBRCM:
		return "DSA_TAG_BRCM", "DSA_TAG_BRCM", "Ethernet with a Broadcom switch tag after the addresses"
	case TypeDSATagBRCMPrepend:
		return "DSA_TAG_BRCM_PREPEND", "DSA_TAG_BRCM_PREPEND", "Ethernet after a Broadcom switch tag"
	case TypeIEEE802154TAP:
		return "IEEE802_15_4_TAP", "IEEE802_15_4_TAP", "IEEE 802.15.4 after metadata TLVs"
	case TypeDSATagDSA:
		return "DSA_TAG_DSA", "DSA_TAG_DSA", "Ethernet with a Marvell DSA switch tag"
	case TypeDSATagEDSA:
		return "DSA_TAG_EDSA", "DSA_TAG_EDSA", "Ethernet with a Marvell EDSA switch tag"
	case TypeELEE:
		return "ELEE", "ELEE", "ELEE lawful interception (reserved)"
	case TypeZWaveSerial:
		return "Z_WAVE_SERIAL", "Z_WAVE_SERIAL", "serial line between host and Z-Wave chip"
	case TypeUSB20:
		return "USB_2_0", "USB_2_0", "USB 2.0, 1.1 or 1.0 as on the wire, speed unknown"
	case TypeATSCALP:
		return "ATSC_ALP", "ATSC_ALP", "ATSC link-layer protocol, A/330"
	case TypeETW:
		return "ETW", "ETW", "Event Tracing for Windows"
	case TypeNetAnalyzerNG:
		return "NETANALYZER_NG", "NETANALYZER_NG", "Hilscher netANALYZER NG (reserved)"
	case TypeZBOSSNCP:
		return "ZBOSS_NCP", "ZBOSS_NCP", "ZBOSS NCP serial protocol after a pseudo-header"
	case TypeUSB20LowSpeed:
		return "USB_2_0_LOW_SPEED", "USB_2_0_LOW_SPEED", "low-speed USB as on the wire"
	case TypeUSB20FullSpeed:
		return "USB_2_0_FULL_SPEED", "USB_2_0_FULL_SPEED", "full-speed USB as on the wire"
	case TypeUSB20HighSpeed:
		return "USB_2_0_HIGH_SPEED", "USB_2_0_HIGH_SPEED", "high-speed USB as on the wire"
	case TypeAuerswaldLog:
		return "AUERSWALD_LOG", "AUERSWALD_LOG", "Auerswald logger protocol"
	case TypeZWaveTAP:
		return "ZWAVE_TAP", "ZWAVE_TAP", "Z-Wave after a metadata header"
	case TypeSiLabsDebugChannel:
		return "SILABS_DEBUG_CHANNEL", "SILABS_DEBUG_CHANNEL", "Silicon Labs debug channel"
	case TypeFiRaUCI:
		return "FIRA_UCI", "FIRA_UCI", "FiRa ultra-wideband controller interface"
	case TypeMDB:
		return "MDB", "MDB", "multi-drop bus after a pseudo-header"
	case TypeDECTNR:
		return "DECT_NR", "DECT_NR", "DECT-2020 New Radio MAC"
	case TypeEDK2MM:
		return "EDK2_MM", "EDK2_MM", "edk2 management mode requests"
	case TypeDebugOnly:
		return "DEBUG_ONLY", "DEBUG_ONLY", "unstructured data, for debugging"
	case TypeDECTNRTAP:
		return "DECT_NR_TAP", "DECT_NR_TAP", "DECT-2020 New Radio MAC after a metadata header"
	}
	return "", "", ""
}
