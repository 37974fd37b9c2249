package services

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// forge watches a device and answers every k-th request that passes it with
// forged RSTs, one to each end, as an injector on the path does: own TTL, own IP
// ID, window 0, no options.
func forge(fs *flag.FlagSet) func(context.Context, *host) error {
	device := fs.String("device", "", "device to watch")
	port := fs.Int("port", 0, "port of the server")
	every := fs.Int("every", 1, "packets with data for each forged pair")
	contains := fs.String("contains", "", "only packets whose data has this text")
	ttl := fs.Int("ttl", 200, "time to live of forged packets")
	return func(ctx context.Context, h *host) error {
		dev, err := net.InterfaceByName(*device)
		if err != nil {
			return fmt.Errorf("find device %s: %w", *device, err)
		}
		in, err := packet.Listen(dev, packet.Raw, unix.ETH_P_IP, nil)
		if err != nil {
			return fmt.Errorf("watch device %s: %w", *device, err)
		}
		defer in.Close()
		out, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		if err != nil {
			return fmt.Errorf("open raw socket: %w", err)
		}
		defer unix.Close(out)
		stop := context.AfterFunc(ctx, func() { in.SetReadDeadline(time.Unix(1, 0)) })
		defer stop()
		// Nothing listens: the address only says that the watch has begun.
		h.ready(&net.TCPAddr{IP: net.IPv4zero, Port: *port})
		f := &forger{host: h, out: out, port: layers.TCPPort(*port), every: *every, ttl: uint8(*ttl), contains: []byte(*contains)}
		buf := make([]byte, 65536)
		for {
			n, _, err := in.ReadFrom(buf)
			switch {
			case errors.Is(err, os.ErrDeadlineExceeded):
				return nil
			case err != nil:
				return fmt.Errorf("read device %s: %w", *device, err)
			}
			f.see(buf[:n])
		}
	}
}

type forger struct {
	*host
	out   int
	port  layers.TCPPort
	every int
	ttl   uint8
	id    uint16
	n     int

	contains []byte
}

func (f *forger) see(frame []byte) {
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.NoCopy)
	ip, ok := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
	if !ok {
		return
	}
	tcp, ok := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
	if !ok || tcp.DstPort != f.port || len(tcp.Payload) == 0 {
		return
	}
	f.tally.Count("requests")
	if !bytes.Contains(tcp.Payload, f.contains) {
		return
	}
	if f.n++; f.n%f.every != 0 {
		return
	}
	next := tcp.Seq + uint32(len(tcp.Payload))
	if f.send(ip.DstIP, ip.SrcIP, tcp.DstPort, tcp.SrcPort, tcp.Ack, next) {
		f.tally.Harm("resets")
	}
	if f.send(ip.SrcIP, ip.DstIP, tcp.SrcPort, tcp.DstPort, next, tcp.Ack) {
		f.tally.Harm("resets-to-server")
	}
}

func (f *forger) send(src, dst net.IP, srcPort, dstPort layers.TCPPort, seq, ack uint32) bool {
	f.id += 7
	ip := &layers.IPv4{Version: 4, IHL: 5, TTL: f.ttl, Id: f.id, Protocol: layers.IPProtocolTCP, SrcIP: src, DstIP: dst}
	tcp := &layers.TCP{SrcPort: srcPort, DstPort: dstPort, Seq: seq, Ack: ack, RST: true, ACK: true}
	if tcp.SetNetworkLayerForChecksum(ip) != nil {
		return false
	}
	buf := gopacket.NewSerializeBuffer()
	if gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ip, tcp) != nil {
		return false
	}
	to := &unix.SockaddrInet4{Addr: [4]byte(dst.To4())}
	return unix.Sendto(f.out, buf.Bytes(), 0, to) == nil
}
