package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// authorities is where Debian keeps the certificates of the authorities that https
// targets are checked against.
const authorities = "/etc/ssl/certs/ca-certificates.crt"

// writeImage writes an image that holds the program, the certificates of this
// machine's authorities, a folder for reports and nothing else, as "docker load"
// takes it. All its times are zero: the same program gives the same image.
func writeImage(binary, arch, tag, out string) error {
	ref, err := name.NewTag(tag)
	if err != nil {
		return fmt.Errorf("read tag: %w", err)
	}
	content, err := layerOf(binary)
	if err != nil {
		return err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	})
	if err != nil {
		return fmt.Errorf("make layer: %w", err)
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return fmt.Errorf("add layer: %w", err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		return fmt.Errorf("read config: %w", err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Created = "linux", arch, v1.Time{Time: time.Unix(0, 0).UTC()}
	file.Config = v1.Config{
		Entrypoint: []string{"/usr/bin/rampload"}, WorkingDir: "/data",
		Labels: map[string]string{"org.opencontainers.image.title": "rampload", "org.opencontainers.image.licenses": "MIT"},
	}
	if image, err = mutate.ConfigFile(image, file); err != nil {
		return fmt.Errorf("set config: %w", err)
	}
	if err := tarball.WriteToFile(out, ref, image); err != nil {
		return fmt.Errorf("write image: %w", err)
	}
	return nil
}

// layerOf returns the files of the image as a tar.
func layerOf(binary string) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	put := func(name string, mode int64, kind byte, data []byte) error {
		h := &tar.Header{Name: name, Mode: mode, Typeflag: kind, Size: int64(len(data)), ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
		if err := w.WriteHeader(h); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		_, err := w.Write(data)
		return err
	}
	program, err := os.ReadFile(binary)
	if err != nil {
		return nil, fmt.Errorf("read program: %w", err)
	}
	for _, dir := range []string{"usr/", "usr/bin/", "etc/", "etc/ssl/", "etc/ssl/certs/", "data/"} {
		if err := put(dir, 0o755, tar.TypeDir, nil); err != nil {
			return nil, err
		}
	}
	if err := put("tmp/", 0o1777, tar.TypeDir, nil); err != nil {
		return nil, err
	}
	if err := put("usr/bin/rampload", 0o755, tar.TypeReg, program); err != nil {
		return nil, err
	}
	switch trusted, err := os.ReadFile(authorities); {
	case errors.Is(err, fs.ErrNotExist): // https targets then need client.tls.ca
	case err != nil:
		return nil, fmt.Errorf("read authorities: %w", err)
	default:
		if err := put("etc/ssl/certs/ca-certificates.crt", 0o644, tar.TypeReg, trusted); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("close layer: %w", err)
	}
	return b.Bytes(), nil
}
