package rest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"parley/internal/api/web"
	"parley/internal/fault"
)

// ETag returns the entity tag of a resource: it changes when its JSON does.
func ETag(resource any) (string, error) {
	b, err := json.Marshal(resource)
	if err != nil {
		return "", fmt.Errorf("write etag: %w", err)
	}
	sum := sha256.Sum256(b)
	return `"` + hex.EncodeToString(sum[:16]) + `"`, nil
}

// Tagged is a reply with one resource and its ETag.
func Tagged(resource any) (Reply, error) {
	tag, err := ETag(resource)
	return Reply{Body: resource, ETag: tag}, err
}

// Conditional reports whether the request is to be done only if the resource is as the client knows it.
func (r *Request) Conditional() bool { return len(r.Header.Values("If-Match")) > 0 }

// Match refuses unless If-Match is absent or names the resource as it is (RFC 9110 section 13.1.1).
func (r *Request) Match(resource any) error {
	if !r.Conditional() {
		return nil
	}
	tag, err := ETag(resource)
	if err != nil {
		return err
	}
	for _, list := range r.Header.Values("If-Match") {
		for want := range strings.SplitSeq(list, ",") {
			if want = strings.TrimSpace(want); want == "*" || want == tag {
				return nil
			}
		}
	}
	return web.Detail(fault.New(fault.Conflict, "VERSION_MISMATCH", "the resource is not as If-Match says; read it again and decide anew"),
		map[string]any{"etag": tag})
}

// refuse writes the answer for err; that of a mismatch carries the present ETag.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := web.NewProblem(err, "", "")
	if p.Error.Reason == "VERSION_MISMATCH" && len(p.Error.Details) > 0 {
		if tag, ok := p.Error.Details[0]["etag"].(string); ok {
			w.Header().Set("ETag", tag)
		}
	}
	web.Refuse(w, r, err)
}
