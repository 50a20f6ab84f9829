package capture

import (
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/mixer"
	"parley/internal/recording/page"
)

// TestTornWrite ends captures whose last write was cut off, as the kernel does with what a killed program is writing: no lane may end before the
// others, and no more than the cell that was being written is given up.
func TestTornWrite(t *testing.T) {
	const lanes = 5
	dir := t.TempDir()
	var whole []byte
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Options{Dir: dir})
		var tags []string
		for n := range lanes {
			tags = append(tags, fmt.Sprint("lane", n))
			_ = c.Join(Lane{Tag: tags[n]})
		}
		for n := range 100 {
			c.See(talk(n, tags))
			time.Sleep(20 * time.Millisecond)
		}
		var err error
		if whole, err = os.ReadFile(c.file.name); err != nil {
			t.Fatal(err)
		}
		c.Stop("")
		<-c.Done()
	})
	path := Path(dir, id)
	for cut := len(whole) - 9000; cut <= len(whole); cut += 61 {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		list, err := Recover(dir, nil)
		if err != nil || len(list) != 1 {
			t.Fatalf("cut at %d: %v %+v", cut, err, list)
		}
		stored, _ := pages(t, path)
		cells := map[uint64]int{}
		for _, p := range stored {
			if p.Kind == page.Audio {
				cells[p.Clock/page.Cell]++
			}
		}
		for cell, n := range cells {
			if n != lanes && !endsWithPage(whole[:cut], stored) {
				t.Fatalf("cut at %d: cell %d is stored of %d lanes", cut, cell, n)
			}
		}
		if reached := span(uint64(len(cells)) * page.Cell); list[0].Length != reached {
			t.Fatalf("cut at %d: the length is %v, audio reaches to %v", cut, list[0].Length, reached)
		}
	}
}

// endsWithPage reports whether a cut fell between two pages, where nobody sees it.
func endsWithPage(b []byte, stored []page.Page) bool {
	for _, p := range stored {
		if p.Offset+int64(p.Size) == int64(len(b)) {
			return true
		}
	}
	return false
}

// talk is a tick in which all say something that does not pack well.
func talk(n int, tags []string) mixer.Moment {
	m := moment(n, tags...)
	for _, v := range m.Voices {
		for i := range v.Frame {
			v.Frame[i] = int16((n*160 + i) * 7919)
		}
	}
	return m
}
