package message

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/data"
)

// multipartBody returns the body of a form with files (RFC 7578) and its media type.
// The boundary follows from the parts, so that the same request always has the same
// bytes. One to be filled in stays in the language of package data: files are literal.
func multipartBody(parts []profiles.Part, filled bool) (body []byte, mediaType string, err error) {
	sum := sha256.New()
	contents := make([][]byte, len(parts))
	for i, p := range parts {
		contents[i] = []byte(p.Value)
		if p.File != "" {
			if contents[i], err = os.ReadFile(p.File); err != nil {
				return nil, "", err
			}
			if filled {
				contents[i] = []byte(data.Literal(string(contents[i])))
			}
		}
		_, _ = sum.Write(contents[i]) // a hash takes everything
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.SetBoundary("rampload-" + hex.EncodeToString(sum.Sum(nil)[:16])); err != nil {
		return nil, "", err
	}
	quote := strings.NewReplacer(`"`, "%22", "\r", "%0D", "\n", "%0A")
	for i, p := range parts {
		head := textproto.MIMEHeader{}
		disposition := fmt.Sprintf(`form-data; name="%s"`, quote.Replace(p.Name))
		media := p.Type
		if p.File != "" {
			disposition += fmt.Sprintf(`; filename="%s"`, quote.Replace(filepath.Base(p.File)))
			if media == "" {
				media = "application/octet-stream"
			}
		}
		head.Set("Content-Disposition", disposition)
		if media != "" {
			head.Set("Content-Type", media)
		}
		part, err := w.CreatePart(head)
		if err != nil {
			return nil, "", err
		}
		if _, err := part.Write(contents[i]); err != nil {
			return nil, "", err
		}
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return b.Bytes(), w.FormDataContentType(), nil
}
