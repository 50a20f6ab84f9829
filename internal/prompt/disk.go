package prompt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// disk keeps files in a folder up to a total size. Each begins with a line of JSON that says what it is. It may all be deleted at any time.
type disk struct {
	dir   string
	files *lru[struct{}]
}

// head is the first line of a kept file.
type head struct {
	Size  int  `json:"size"`           // of what follows
	Rate  int  `json:"rate,omitempty"` // of samples; 0 for what was fetched
	Fetch meta `json:"fetch,omitzero"`
}

const temporary = "new-"

// openDisk takes up what is in the folder, the oldest first.
func openDisk(dir string, most int64) (*disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of kept sounds: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the folder of kept sounds: %w", err)
	}
	d := &disk{dir: dir}
	d.files = newLRU[struct{}](most, func(key string) { _ = os.Remove(d.path(key)) })
	var infos []os.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		switch {
		case err != nil:
		case strings.HasPrefix(e.Name(), temporary) || strings.HasPrefix(e.Name(), "speak-"): // a crash left it behind
			_ = os.RemoveAll(d.path(e.Name()))
		case info.Mode().IsRegular():
			infos = append(infos, info)
		}
	}
	slices.SortFunc(infos, func(a, b os.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, info := range infos {
		d.files.put(info.Name(), struct{}{}, info.Size())
	}
	return d, nil
}

func (d *disk) path(key string) string { return filepath.Join(d.dir, key) }

// get returns a kept file; what cannot be read or is not whole is forgotten.
func (d *disk) get(key string) (h head, body []byte, ok bool) {
	if _, ok := d.files.get(key); !ok {
		return h, nil, false
	}
	data, err := os.ReadFile(d.path(key))
	line, body, _ := bytes.Cut(data, []byte("\n"))
	if err != nil || json.Unmarshal(line, &h) != nil || h.Size != len(body) {
		d.files.remove(key)
		return head{}, nil, false
	}
	now := time.Now()
	_ = os.Chtimes(d.path(key), now, now) // for the order after the next start
	return h, body, true
}

// put keeps a file. A disk that refuses only means that it is made again next time.
func (d *disk) put(key string, h head, body []byte) {
	h.Size = len(body)
	line, err := json.Marshal(h)
	if err != nil {
		return
	}
	f, err := os.CreateTemp(d.dir, temporary)
	if err != nil {
		return
	}
	_, err = f.Write(append(append(line, '\n'), body...))
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), d.path(key))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return
	}
	d.files.put(key, struct{}{}, int64(len(line)+1+len(body)))
}
