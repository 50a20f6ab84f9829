package webhook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"parley/internal/store"
	"parley/internal/webhook/endpoint"
	"parley/internal/wire"
)

// cloudEvent is the JSON format of CloudEvents 1.0, section 3, with the extension sequence.
type cloudEvent struct {
	SpecVersion string          `json:"specversion"`
	ID          string          `json:"id"`
	Source      string          `json:"source"`
	Type        string          `json:"type"`
	Subject     string          `json:"subject,omitempty"`
	Time        wire.Time       `json:"time"`
	ContentType string          `json:"datacontenttype"`
	Sequence    string          `json:"sequence"`
	CustomerID  string          `json:"customerid"`
	Conference  string          `json:"conferenceid,omitempty"`
	Cause       string          `json:"cause,omitempty"` // as JSON: an attribute is a text
	Data        json.RawMessage `json:"data"`
}

// body returns the body and its media type. It is the same for each attempt: only the event decides it.
func body(format string, e *store.Event) (text []byte, media string, err error) {
	var form any = e.Entry()
	media = "application/json"
	if format == endpoint.CloudEvent {
		media = "application/cloudevents+json; charset=utf-8"
		form = cloudEvent{
			SpecVersion: "1.0", ID: e.ID, Source: "/v1.0/" + source(e), Type: e.Type, Subject: e.Resource, Time: wire.Time(e.At),
			ContentType: "application/json", Sequence: fmt.Sprintf("%020d", e.Seq), CustomerID: e.CustomerID, Conference: e.Conference, Cause: string(e.Cause), Data: e.Data,
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(form); err != nil {
		return nil, "", fmt.Errorf("write body of %s: %w", e.ID, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), media, nil
}

func source(e *store.Event) string {
	if e.Conference != "" {
		return "conferences/" + e.Conference
	}
	kind, id, _ := strings.Cut(e.Key, "/")
	return kind + "s/" + id
}

// Sign sets the headers of Standard Webhooks, one signature for each secret, and VoIPBIN's, made with the newest.
func Sign(h http.Header, secrets []string, id string, at time.Time, body []byte) error {
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", strconv.FormatInt(at.Unix(), 10))
	var all []string
	for _, secret := range secrets {
		w, err := signer(secret)
		if err != nil {
			return fmt.Errorf("read secret: %w", err)
		}
		one, err := w.Sign(id, at, body)
		if err != nil {
			return fmt.Errorf("sign: %w", err)
		}
		all = append(all, one)
	}
	if len(all) == 0 {
		return nil
	}
	h.Set("Webhook-Signature", strings.Join(all, " "))
	mac := hmac.New(sha256.New, []byte(secrets[0]))
	mac.Write(body)
	h.Set("X-VoIPBIN-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	return nil
}

// signer takes a secret that is not base64 as the key itself, as libraries do for secrets of other origin.
func signer(secret string) (*standardwebhooks.Webhook, error) {
	if w, err := standardwebhooks.NewWebhook(secret); err == nil {
		return w, nil
	}
	return standardwebhooks.NewWebhookRaw([]byte(secret))
}
