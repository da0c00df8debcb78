// Initramfs writes the first root file system of a Linux kernel, a cpio archive
// in the format newc: a program as its /init, kernel modules, and files.
//
//	initramfs -o FILE -init PROGRAM -modules DIR -load NAME,NAME... [FILE=PATH ...]
//
// The modules are those named and all that they depend on, without those that
// are built into the kernel; modules.txt in the root folder of the archive lists
// them in the order in which they have to be loaded. DIR is the folder of a
// kernel's modules, as a package brings it: what depmod(8) adds to it is not
// needed. Compressed modules (xz) are unpacked with the program xz. PATH is
// where FILE goes in the archive; of a folder, its regular files go there.
package main

import (
	"bytes"
	"debug/elf"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

func main() {
	out := flag.String("o", "", "the FILE to write")
	program := flag.String("init", "", "the PROGRAM that becomes /init")
	dir := flag.String("modules", "", "the folder (DIR) of the kernel's modules")
	load := flag.String("load", "", "the modules, by NAME")
	flag.Parse()
	if err := run(*out, *program, *dir, *load, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "initramfs:", err)
		os.Exit(1)
	}
}

func run(out, program, dir, load string, files []string) error {
	a := newArchive()
	if err := a.addFile("init", program, 0o755); err != nil {
		return err
	}
	var list strings.Builder
	m, err := findModules(dir)
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(load, ",") {
		if err := m.need(name); err != nil {
			return err
		}
	}
	for _, mod := range m.order {
		to := "modules/" + mod.name + ".ko"
		a.add(to, mod.object, 0o644)
		list.WriteString("/" + to + "\n")
	}
	a.add("modules.txt", []byte(list.String()), 0o644)
	for _, f := range files {
		from, to, ok := strings.Cut(f, "=")
		if !ok {
			return fmt.Errorf("%q is not FILE=PATH", f)
		}
		if err := a.addTree(to, from); err != nil {
			return err
		}
	}
	return os.WriteFile(out, a.close(), 0o644)
}

// archive is a cpio archive in the format newc, as the kernel reads it:
// driver-api/early-userspace/buffer-format.rst of its documentation.
type archive struct {
	buf  bytes.Buffer
	made map[string]bool // folders
	n    int             // entries so far
}

// Types of files, inode(7).
const (
	modeDir  = 0o040000
	modeChar = 0o020000
	modeFile = 0o100000
)

func newArchive() *archive {
	a := &archive{made: map[string]bool{".": true}}
	// The kernel opens the console before anything is mounted.
	a.folder("dev")
	a.entry("dev/console", nil, modeChar|0o600, 5, 1)
	return a
}

// entry writes one entry.
func (a *archive) entry(name string, data []byte, mode, major, minor int) {
	a.n++
	// ino, mode, uid, gid, nlink, mtime, size, and major and minor numbers of
	// the device and of the special file.
	fmt.Fprintf(&a.buf, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		a.n, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(name)+1, 0)
	a.buf.WriteString(name + "\x00")
	a.pad()
	a.buf.Write(data)
	a.pad()
}

// pad fills up to a multiple of four bytes.
func (a *archive) pad() {
	for a.buf.Len()%4 != 0 {
		a.buf.WriteByte(0)
	}
}

// folder makes a folder and those above it.
func (a *archive) folder(name string) {
	if a.made[name] {
		return
	}
	a.folder(path.Dir(name))
	a.made[name] = true
	a.entry(name, nil, modeDir|0o755, 0, 0)
}

func (a *archive) add(name string, data []byte, perm int) {
	a.folder(path.Dir(name))
	a.entry(name, data, modeFile|perm, 0, 0)
}

func (a *archive) addFile(name, from string, perm int) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	a.add(name, b, perm)
	return nil
}

// addTree adds a file, or the regular files of a folder.
func (a *archive) addTree(name, from string) error {
	return filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		return a.addFile(path.Join(name, filepath.ToSlash(rel)), p, int(info.Mode().Perm()))
	})
}

func (a *archive) close() []byte {
	a.entry("TRAILER!!!", nil, 0, 0, 0)
	return a.buf.Bytes()
}

// modules are those of a kernel.
type modules struct {
	files   map[string]string // by name
	builtin map[string]bool
	order   []module // each after those it needs
	done    map[string]bool
}

type module struct {
	name   string
	object []byte // an ELF file
}

// moduleName is what the kernel calls the module in a file.
func moduleName(file string) string {
	name, _, _ := strings.Cut(path.Base(filepath.ToSlash(file)), ".")
	return strings.ReplaceAll(name, "-", "_")
}

func findModules(dir string) (*modules, error) {
	m := &modules{files: map[string]string{}, builtin: map[string]bool{}, done: map[string]bool{}}
	b, err := os.ReadFile(filepath.Join(dir, "modules.builtin"))
	if err != nil {
		return nil, err
	}
	for f := range strings.FieldsSeq(string(b)) {
		m.builtin[moduleName(f)] = true
	}
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.Contains(d.Name(), ".ko") {
			m.files[moduleName(p)] = p
		}
		return err
	})
	return m, err
}

// need puts a module behind those that it depends on. That a kernel has not got
// one is no error here: what needs it will say so.
func (m *modules) need(name string) error {
	name = strings.ReplaceAll(name, "-", "_")
	if m.done[name] || m.builtin[name] {
		return nil
	}
	m.done[name] = true
	file, ok := m.files[name]
	if !ok {
		fmt.Println("initramfs: this kernel has no module", name)
		return nil
	}
	object, err := unpack(file)
	if err != nil {
		return err
	}
	needs, err := dependencies(object)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for _, d := range needs {
		if err := m.need(d); err != nil {
			return err
		}
	}
	m.order = append(m.order, module{name, object})
	return nil
}

// unpack returns a module's ELF file.
func unpack(file string) ([]byte, error) {
	if filepath.Ext(file) != ".xz" {
		return os.ReadFile(file)
	}
	var stderr bytes.Buffer
	cmd := exec.Command("xz", "-dc", file)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("xz -dc %s: %w: %s", file, err, stderr.Bytes())
	}
	return out, nil
}

// dependencies are what modinfo(8) calls depends, and the modules that
// should be loaded before as well.
func dependencies(object []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(object))
	if err != nil {
		return nil, err
	}
	s := f.Section(".modinfo")
	if s == nil {
		return nil, errors.New("no section .modinfo: not a kernel module")
	}
	info, err := io.ReadAll(s.Open())
	if err != nil {
		return nil, err
	}
	var out []string
	for field := range bytes.SplitSeq(info, []byte{0}) {
		key, value, _ := strings.Cut(string(field), "=")
		switch {
		case key == "depends" && value != "":
			out = append(out, strings.Split(value, ",")...)
		case key == "softdep" && strings.HasPrefix(value, "pre: "):
			out = append(out, strings.Fields(strings.TrimPrefix(value, "pre: "))...)
		}
	}
	return out, nil
}
