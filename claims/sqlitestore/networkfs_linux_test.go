package sqlitestore

import "testing"

func TestNetworkFileSystems(t *testing.T) {
	for magic, want := range map[uint32]string{
		0x6969: "NFS", 0x517b: "SMB", 0xff534d42: "SMB", 0xfe534d42: "SMB", 0x01021997: "9p", 0x65735546: "FUSE",
		0xef53: "", 0x01021994: "", // ext4, tmpfs
	} {
		if got := networkKind(magic); got != want {
			t.Errorf("%#x: %q, want %q", magic, got, want)
		}
	}
}

func TestFindHolder(t *testing.T) {
	const table = `1: POSIX  ADVISORY  WRITE 11 08:01:77 0 EOF
2: FLOCK  ADVISORY  WRITE 12 08:01:177 0 EOF
3: FLOCK  ADVISORY  WRITE 13 08:01:77 0 EOF
3: -> FLOCK  ADVISORY  WRITE 14 08:01:77 0 EOF
`
	for inode, want := range map[uint64]string{77: "pid 13", 177: "pid 12", 7: ""} {
		if got := findHolder(table, inode); got != want {
			t.Errorf("%d: %q, want %q", inode, got, want)
		}
	}
}
