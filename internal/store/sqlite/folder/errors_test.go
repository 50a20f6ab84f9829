package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"parley/internal/fault"
)

func TestRefused(t *testing.T) {
	f := openTest(t, t.TempDir())
	for _, c := range []struct {
		cause  error
		kind   fault.Kind
		reason string
		text   string
	}{
		{syscall.ENOSPC, fault.Unavailable, "STORE_FULL", "the disk of data folder %s is full: free at least 16 MiB there"},
		{syscall.EDQUOT, fault.Unavailable, "STORE_FULL", "the disk of data folder %s is full: free at least 16 MiB there"},
		{fs.ErrPermission, fault.Unavailable, "STORE_READ_ONLY", "data folder %s cannot be written: give this user write permission or choose another --data"},
		{syscall.EROFS, fault.Unavailable, "STORE_READ_ONLY", "data folder %s cannot be written: give this user write permission or choose another --data"},
		{syscall.EISDIR, fault.Invalid, "STORE_FOLDER", "%s is not a folder with files in it (open x: is a directory): choose another --data"},
		{syscall.ENOTDIR, fault.Invalid, "STORE_FOLDER", "%s is not a folder with files in it (open x: not a directory): choose another --data"},
	} {
		err := f.Refused(&os.PathError{Op: "open", Path: "x", Err: c.cause})
		wantFault(t, err, c.reason, fmt.Sprintf(c.text, f.Path()))
		if fault.KindOf(err) != c.kind {
			t.Errorf("%v is of kind %v, want %v", err, fault.KindOf(err), c.kind)
		}
	}
	err := f.Refused(syscall.EIO)
	if _, ok := fault.Of(err); ok || !errors.Is(err, syscall.EIO) || err.Error() != "use data folder "+f.Path()+": input/output error" {
		t.Errorf("an I/O error becomes %v", err)
	}
}
