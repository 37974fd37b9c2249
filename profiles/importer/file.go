package importer

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/url"
)

// readBounded reads a whole file of bounded size.
func readBounded(path string) ([]byte, error) {
	f, err := openRegular(path, maxImport)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxImport+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxImport { // it grew while it was read
		return nil, fmt.Errorf("%s has more than %d MiB", path, maxImport>>20)
	}
	return data, nil
}

// utf16 reports whether a text begins with the mark of UTF-16, in which PowerShell's >
// writes.
func utf16(text []byte) bool {
	return bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff"))
}

func basic(user *url.Userinfo) string {
	password, _ := user.Password()
	return base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
}
