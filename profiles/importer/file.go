package importer

import (
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

func basic(user *url.Userinfo) string {
	password, _ := user.Password()
	return base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
}
