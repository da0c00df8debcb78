package link

import "golang.org/x/sys/windows"

// interfaces takes names, addresses and MTUs from package net, and the GUID and
// the medium of each adapter from GetIfEntry2Ex, where the system has it
// (Windows 10 version 1703).
func interfaces() ([]Interface, error) {
	all, err := netInterfaces()
	if err != nil {
		return nil, err
	}
	if windows.NewLazySystemDLL("iphlpapi.dll").NewProc("GetIfEntry2Ex").Find() != nil {
		return all, nil
	}
	for n := range all {
		i := &all[n]
		row := windows.MibIfRow2{InterfaceIndex: uint32(i.Index)}
		if windows.GetIfEntry2Ex(windows.MibIfEntryNormalWithoutStatistics, &row) != nil {
			continue // it went away meanwhile
		}
		i.GUID = row.InterfaceGuid.String()
		if t, ok := typeFromNDIS(row.MediaType); ok {
			i.Link = t
		}
		if i.Flags.Has(FlagLoopback) {
			i.Link = TypeNull
		}
	}
	return all, nil
}
