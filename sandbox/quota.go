package sandbox

import (
	"io/fs"
	"os"
	"path"
)

// mount is a Dir in a run.
type mount struct {
	Dir
	root *os.Root
	over <-chan struct{} // closed when the run is over: nobody waits for what is still done then
	held int64           // what the folder holds, once it was counted; meaningless without a quota

	counted bool
}

// charge adds to what the folder holds, if the quota lets it. The first time it counts what is there.
func (m *mount) charge(n int64) error {
	if m.Quota == 0 || n <= 0 {
		return nil
	}
	m.count()
	if n > m.Quota-m.held {
		return errnoError(errnoNospc)
	}
	m.held += n
	return nil
}

// refund takes off what is there no more.
func (m *mount) refund(n int64) {
	if m.counted {
		m.held = max(m.held-n, 0)
	}
}

// levels is how many folders are open at a time while what they hold is counted.
const levels = 64

// count adds up what the folder holds, once. What cannot be read counts as an entry. A guest can nest folders deeply, where a path takes
// longer the longer it is: so each folder is reached from the one above it, and those of many levels down are put off.
func (m *mount) count() {
	if m.counted {
		return
	}
	m.counted = true
	for later := []string{"."}; len(later) > 0; {
		from := later[len(later)-1]
		later = later[:len(later)-1]
		if root, err := m.root.OpenRoot(from); err == nil {
			later = m.countBelow(root, from, levels, later)
		}
	}
}

// countBelow counts a folder, closes it, and gives later with those folders that are left to be counted.
func (m *mount) countBelow(root *os.Root, at string, depth int, later []string) []string {
	defer func() { _ = root.Close() }()
	for _, name := range m.countIn(root) {
		if m.isOver() {
			return nil
		}
		p := path.Join(at, name)
		if depth == 0 {
			later = append(later, p)
		} else if sub, err := root.OpenRoot(name); err == nil {
			later = m.countBelow(sub, p, depth-1, later)
		}
	}
	return later
}

// countIn counts what lies in a folder itself, and gives the folders among it.
func (m *mount) countIn(root *os.Root) (folders []string) {
	f, err := root.Open(".")
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	for !m.isOver() {
		list, err := f.ReadDir(listedAtOnce)
		for _, d := range list {
			if m.held += sizeOf(d.Info); d.IsDir() {
				folders = append(folders, d.Name())
			}
		}
		if err != nil {
			break
		}
	}
	return folders
}

// isOver says whether the run has ended meanwhile.
func (m *mount) isOver() bool {
	select {
	case <-m.over:
		return true
	default:
		return false
	}
}

// sizeOf is what a file or folder counts.
func sizeOf(info func() (fs.FileInfo, error)) int64 {
	if i, err := info(); err == nil && i.Mode().IsRegular() {
		return entryCost + i.Size()
	}
	return entryCost
}

// opened is the files of a run that are this one, by whatever name.
func (x *execution) opened(info fs.FileInfo) (list []*file) {
	for _, f := range x.files {
		if f == nil || f.f == nil {
			continue
		}
		if i, err := f.f.Stat(); err == nil && os.SameFile(i, info) {
			list = append(list, f)
		}
	}
	return list
}

// drop takes a name off the quota that do removes, or puts another file in the place of. A file that the guest has open takes its room
// until it is closed: otherwise it could hold many of them that nobody sees.
func (x *execution) drop(m *mount, info fs.FileInfo, do func() error) error {
	var open []*file
	if m.Quota > 0 && info.Mode().IsRegular() {
		if open = x.opened(info); len(open) > 0 {
			m.count() // as long as it is to be seen
		}
	}
	if err := do(); err != nil {
		return err
	}
	if len(open) == 0 {
		m.refund(sizeOf(func() (fs.FileInfo, error) { return info, nil }))
	}
	for _, f := range open {
		f.gone = true
	}
	return nil
}

// shut closes a file of the guest's. The last of those that are open of a removed file gives its room back.
func (x *execution) shut(f *file) {
	defer f.close()
	if !f.gone {
		return
	}
	info, err := f.f.Stat()
	if err != nil || len(x.opened(info)) > 0 {
		return
	}
	f.mount.refund(sizeOf(func() (fs.FileInfo, error) { return info, nil }))
}
