// Package modproxy lays the modules of a working tree out as a module proxy
// in a folder, so that the go command can be shown what a consumer outside the
// workspace will get before anything is tagged.
//
// The layout is the one of the [GOPROXY protocol].
//
// [GOPROXY protocol]: https://go.dev/ref/mod#goproxy-protocol
package modproxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/zip"
)

// Prefix is what the path of every module of this repository begins with. The
// rest of the path is the module's folder.
const Prefix = "github.com/gopkts/gopkts/"

// FirstVersion is the version served for a module that no other one requires.
const FirstVersion = "v0.1.0"

// Published returns the folders of the modules that are tagged, each after
// those it depends on.
func Published() []string { return []string{"common", "pkts", "capture", "cmd"} }

// ErrNoRoot says that no folder above the starting point holds a go.work.
var ErrNoRoot = errors.New("modproxy: no go.work here or above: run inside the workspace")

// Root returns the nearest folder at or above dir that holds a go.work file.
func Root(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", ErrNoRoot
		}
		dir = up
	}
}

// URL returns dir as a file URL for GOPROXY.
func URL(dir string) string {
	return "file:///" + strings.TrimPrefix(filepath.ToSlash(dir), "/")
}

// Write serves every published module of the workspace at root from dir, as
// the tree stands, committed or not. A module is served at every version that
// another one requires, and returned with the highest of them, in the order of
// [Published].
func Write(dir, root string) ([]module.Version, error) {
	mods := map[string][]byte{}       // folder: go.mod
	versions := map[string][]string{} // folder: required versions
	for _, name := range Published() {
		file := filepath.Join(root, name, "go.mod")
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("modproxy: %w", err)
		}
		f, err := modfile.Parse(file, b, nil)
		if err != nil {
			return nil, fmt.Errorf("modproxy: %w", err)
		}
		if f.Module.Mod.Path != Prefix+name {
			return nil, fmt.Errorf("modproxy: %s names module %s: want %s", file, f.Module.Mod.Path, Prefix+name)
		}
		mods[name] = b
		for _, r := range f.Require {
			if own, ok := strings.CutPrefix(r.Mod.Path, Prefix); ok {
				versions[own] = append(versions[own], r.Mod.Version)
			}
		}
	}
	var served []module.Version
	for _, name := range Published() {
		vs := versions[name]
		if len(vs) == 0 {
			vs = []string{FirstVersion}
		}
		semver.Sort(vs)
		vs = slices.Compact(vs)
		for _, v := range vs {
			if err := writeVersion(dir, root, name, v, mods[name]); err != nil {
				return nil, err
			}
		}
		list := filepath.Join(dir, filepath.FromSlash(Prefix+name), "@v", "list")
		if err := os.WriteFile(list, []byte(strings.Join(vs, "\n")+"\n"), 0o644); err != nil {
			return nil, fmt.Errorf("modproxy: %w", err)
		}
		served = append(served, module.Version{Path: Prefix + name, Version: vs[len(vs)-1]})
	}
	return served, nil
}

// writeVersion writes the .info, .mod and .zip of one module at one version.
func writeVersion(dir, root, name, version string, mod []byte) error {
	at := filepath.Join(dir, filepath.FromSlash(Prefix+name), "@v")
	if err := os.MkdirAll(at, 0o755); err != nil {
		return fmt.Errorf("modproxy: %w", err)
	}
	info, err := json.Marshal(struct {
		Version string
		Time    time.Time
	}{version, time.Unix(0, 0).UTC()})
	if err != nil {
		return fmt.Errorf("modproxy: %w", err)
	}
	if err := os.WriteFile(filepath.Join(at, version+".info"), info, 0o644); err != nil {
		return fmt.Errorf("modproxy: %w", err)
	}
	if err := os.WriteFile(filepath.Join(at, version+".mod"), mod, 0o644); err != nil {
		return fmt.Errorf("modproxy: %w", err)
	}
	files, err := moduleFiles(root, name)
	if err != nil {
		return err
	}
	w, err := os.Create(filepath.Join(at, version+".zip"))
	if err != nil {
		return fmt.Errorf("modproxy: %w", err)
	}
	err = zip.Create(w, module.Version{Path: Prefix + name, Version: version}, files)
	if err := errors.Join(err, w.Close()); err != nil {
		return fmt.Errorf("modproxy: zip %s: %w", name, err)
	}
	return nil
}

// moduleFiles returns what the go command would put into the module's zip: the
// files of its folder, and the LICENSE of the repository's root where the
// folder has none of its own.
func moduleFiles(root, name string) ([]zip.File, error) {
	folder := filepath.Join(root, name)
	checked, err := zip.CheckDir(folder)
	if err != nil {
		return nil, fmt.Errorf("modproxy: %w", err)
	}
	var files []zip.File
	licensed := false
	for _, path := range checked.Valid {
		rel, err := filepath.Rel(folder, path)
		if err != nil {
			return nil, fmt.Errorf("modproxy: %w", err)
		}
		licensed = licensed || rel == "LICENSE"
		files = append(files, file{inZip: filepath.ToSlash(rel), onDisk: path})
	}
	if !licensed {
		files = append(files, file{inZip: "LICENSE", onDisk: filepath.Join(root, "LICENSE")})
	}
	return files, nil
}

// file is a [zip.File] that stands on disk.
type file struct{ inZip, onDisk string }

func (f file) Path() string                 { return f.inZip }
func (f file) Lstat() (os.FileInfo, error)  { return os.Lstat(f.onDisk) }
func (f file) Open() (io.ReadCloser, error) { return os.Open(f.onDisk) }
