// One WebRTC peer in a page. It sends one tone, records what each remote track plays, and knows nothing
// of any server: its driver calls window.peer(method, ...args) and gets a promise of JSON text.
"use strict";

const KEPT_RATE_HZ = 8000;
const CHUNK_S = 0.04;
const GATHERING_MS = 3000;
const KEPT_S = 60; // older sound is dropped when the driver does not fetch it

class Recording {
  constructor(rate) {
    this.ring = new Int16Array(Math.round(rate * KEPT_S));
    this.total = 0; // samples ever written
    this.endedAt = 0; // Unix seconds of the newest sample
  }

  write(chunk) {
    const start = this.total % this.ring.length;
    const head = chunk.subarray(0, this.ring.length - start);
    this.ring.set(head, start);
    this.ring.set(chunk.subarray(head.length), 0);
    this.total += chunk.length;
    this.endedAt = Date.now() / 1000;
  }

  // Samples from the given count on, as base64 of little-endian 16-bit numbers.
  since(count) {
    const from = Math.max(count, this.total - this.ring.length);
    const start = from % this.ring.length;
    const samples = new Int16Array(this.total - from);
    const head = this.ring.subarray(start, Math.min(this.ring.length, start + samples.length));
    samples.set(head);
    samples.set(this.ring.subarray(0, samples.length - head.length), head.length);
    return { from, endedAt: this.endedAt, samples: base64(new Uint8Array(samples.buffer)) };
  }
}

function base64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(text);
}

class Peer {
  async start({ toneHz, amplitude }) {
    this.tracks = new Map(); // track id -> {mid, recording, element}
    this.iceConnectedAt = null;
    this.connectedAt = null;
    this.context = new AudioContext();
    this.keepEvery = Math.max(1, Math.floor(this.context.sampleRate / KEPT_RATE_HZ));
    this.keptRate = this.context.sampleRate / this.keepEvery;
    await this.context.audioWorklet.addModule("recorder.js");
    await this.context.resume();
    this.connection = new RTCPeerConnection();
    this.connection.ontrack = (event) => this.listen(event.track, event.transceiver.mid);
    this.connection.oniceconnectionstatechange = () => this.noteIce();
    this.connection.onconnectionstatechange = () => this.noteConnected();
    this.track = this.tone(toneHz, amplitude);
    this.sender = this.connection.addTrack(this.track, new MediaStream([this.track]));
    return null;
  }

  tone(frequency, amplitude) {
    const oscillator = new OscillatorNode(this.context, { frequency });
    const gain = new GainNode(this.context, { gain: amplitude });
    const destination = new MediaStreamAudioDestinationNode(this.context, { channelCount: 1 });
    oscillator.connect(gain).connect(destination);
    oscillator.start();
    return destination.stream.getAudioTracks()[0];
  }

  listen(track, mid) {
    if (track.kind !== "audio" || this.tracks.has(track.id)) return;
    const stream = new MediaStream([track]);
    // Chromium decodes a remote track for Web Audio only while a media element plays it too. The element is not
    // muted, as then the browser's own counter of sound energy would stand still; the browser as a whole is.
    const element = new Audio();
    element.srcObject = stream;
    element.play();
    const recording = new Recording(this.keptRate);
    const recorder = new AudioWorkletNode(this.context, "recorder", {
      numberOfOutputs: 1,
      channelCount: 1,
      processorOptions: { keepEvery: this.keepEvery, chunkLength: Math.round(this.keptRate * CHUNK_S) },
    });
    recorder.port.onmessage = ({ data }) => recording.write(data);
    // The recorder writes no output. It is connected only because an unconnected node may not be run.
    this.context.createMediaStreamSource(stream).connect(recorder).connect(this.context.destination);
    this.tracks.set(track.id, { mid, recording, element });
  }

  noteIce() {
    if (["connected", "completed"].includes(this.connection.iceConnectionState)) {
      this.iceConnectedAt ??= Date.now() / 1000;
    }
  }

  noteConnected() {
    if (this.connection.connectionState === "connected") this.connectedAt ??= Date.now() / 1000;
  }

  async offer(gather) {
    const offer = await this.connection.createOffer();
    await this.connection.setLocalDescription(offer);
    if (!gather) return offer.sdp;
    await this.gathered();
    return this.connection.localDescription.sdp;
  }

  async applyAnswer(sdp) {
    await this.connection.setRemoteDescription({ type: "answer", sdp });
    return null;
  }

  async applyOffer(sdp) {
    await this.connection.setRemoteDescription({ type: "offer", sdp });
    await this.connection.setLocalDescription();
    await this.gathered();
    return this.connection.localDescription.sdp;
  }

  // Waits until gathering ends, but not for ever: without any network it may not, and a server needs no candidates.
  gathered() {
    if (this.connection.iceGatheringState === "complete") return Promise.resolve();
    return new Promise((done) => {
      setTimeout(done, GATHERING_MS);
      this.connection.addEventListener("icegatheringstatechange", () => {
        if (this.connection.iceGatheringState === "complete") done();
      });
    });
  }

  // known: {track id: samples already fetched}
  sounds(known) {
    return Array.from(this.tracks, ([id, { mid, recording }]) => {
      return { id, mid, rate: this.keptRate, ...recording.since(known[id] ?? 0) };
    });
  }

  mute(muted) {
    this.track.enabled = !muted;
    return null;
  }

  // Returns whether the sender can send digits: false without a negotiated telephone-event.
  sendDigits(digits, toneMs, gapMs) {
    const dtmf = this.sender.dtmf;
    if (!dtmf || !dtmf.canInsertDTMF) return false;
    dtmf.insertDTMF(digits, toneMs, gapMs);
    return true;
  }

  async stats() {
    const entries = Array.from((await this.connection.getStats()).values());
    const byId = new Map(entries.map((entry) => [entry.id, entry]));
    const pair = selectedPair(entries, byId);
    return {
      ice: this.connection.iceConnectionState,
      dtls: this.sender.transport ? this.sender.transport.state : "new",
      iceConnectedAt: this.iceConnectedAt,
      connectedAt: this.connectedAt,
      pair: pair ? { local: address(byId.get(pair.localCandidateId)), remote: address(byId.get(pair.remoteCandidateId)) } : null,
      sent: entries.filter((entry) => entry.type === "outbound-rtp").reduce((sum, entry) => sum + entry.packetsSent, 0),
      inbound: entries.filter((entry) => entry.type === "inbound-rtp").map(inbound),
    };
  }

  async close() {
    this.connection.close();
    await this.context.close();
    return null;
  }
}

function selectedPair(entries, byId) {
  const transport = entries.find((entry) => entry.type === "transport" && entry.selectedCandidatePairId);
  if (transport) return byId.get(transport.selectedCandidatePairId);
  return entries.find((entry) => entry.type === "candidate-pair" && entry.nominated && entry.state === "succeeded");
}

function address(candidate) {
  return candidate ? `${candidate.address ?? candidate.ip ?? "?"}:${candidate.port}` : "?";
}

function inbound(entry) {
  return {
    mid: entry.mid ?? null,
    ssrc: entry.ssrc,
    received: entry.packetsReceived ?? 0,
    lost: entry.packetsLost ?? 0,
    jitter: entry.jitter ?? 0,
    energy: entry.totalAudioEnergy ?? null,
  };
}

const instance = new Peer();

window.peer = async (method, ...args) => JSON.stringify(await instance[method](...args));
