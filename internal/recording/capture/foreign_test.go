package capture

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"
	"testing"

	"parley/internal/fault"
	"parley/internal/recording/page"
)

// rewritten returns the pages with another byte at a place of the audio pages' heads, each whole, as another build would have written them.
func rewritten(t *testing.T, b []byte, at int, value byte) []byte {
	t.Helper()
	out := bytes.Clone(b)
	le, table := binary.LittleEndian, crc32.MakeTable(crc32.Castagnoli)
	r := page.NewReader(bytes.NewReader(b), page.StreamOf(id, nil))
	for {
		p, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if head := out[p.Offset : p.Offset+int64(p.Size)]; p.Kind == page.Audio {
			head[at] = value
			le.PutUint32(head[44:], crc32.Update(crc32.Checksum(head[:44], table), table, head[48:]))
		}
	}
}

// TestOtherBuilds has captures of builds with another version of pages, or another coding of sound, left open by a crash: they are refused by name, and not
// a byte of them is touched, not even what follows the last whole page.
func TestOtherBuilds(t *testing.T) {
	for name, tt := range map[string]struct {
		at    int
		value byte
	}{"a later version": {4, 2}, "an earlier coding": {6, 1}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c := start(t, Options{Dir: dir})
			if err := c.Join(Lane{Tag: "a"}); err != nil {
				t.Fatal(err)
			}
			for n := range 20 {
				c.See(moment(n, "a"))
			}
			c.Stop("")
			whole, err := os.ReadFile(c.Result().Path)
			if err != nil {
				t.Fatal(err)
			}
			_, marks := pages(t, c.Result().Path)
			if len(find(marks, page.End)) != 1 {
				t.Fatal("there is no end to cut off")
			}
			other := rewritten(t, whole, tt.at, tt.value)
			other = append(other[:bytes.LastIndex(other, []byte("\x89PLR"))], "torn"...)
			if err := os.WriteFile(c.Result().Path, other, 0o600); err != nil {
				t.Fatal(err)
			}
			found, err := Recover(dir, nil)
			if fault.ReasonOf(err) != "RECORDING_FORMAT_UNKNOWN" || len(found) != 0 {
				t.Errorf("recovered %v with %v", found, err)
			}
			if now, err := os.ReadFile(c.Result().Path); err != nil || !bytes.Equal(now, other) {
				t.Errorf("the file was touched: %d bytes, %d before (%v)", len(now), len(other), err)
			}
		})
	}
}
