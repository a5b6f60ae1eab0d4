// The moving pattern of a peer: a grid of black and white cells, drawn on a canvas that a track is captured from, and
// sampled from what a video element shows. What the cells mean is said in picture.py; both sides must agree on the grid.
"use strict";

const COLUMNS = 8;
const ROWS = 4;
const DARKEST_WHITE = 150;
const BRIGHTEST_BLACK = 100;
const SAMPLED_PX = 8; // a cell of the small copy that is sampled
const SIGHTINGS_KEPT = 1000; // older ones are dropped when the driver does not fetch them

const bits = (value, length) => (value % (1 << length)).toString(2).padStart(length, "0");

// A source of pictures: `track` shows picture `number`, moving, until it is stopped.
class Picture {
  constructor({ number, width, height, framesPerS }) {
    this.number = number;
    this.frame = 0;
    this.claps = false;
    this.canvas = document.createElement("canvas");
    this.canvas.width = width;
    this.canvas.height = height;
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.stream = this.canvas.captureStream(0);
    this.track = this.stream.getVideoTracks()[0];
    this.requester = this.track.requestFrame ? this.track : this.stream; // Firefox asks the stream for frames
    this.timer = setInterval(() => this.draw(), 1000 / framesPerS);
    this.draw();
  }

  clap(on) {
    this.claps = on;
    this.draw();
  }

  draw() {
    const number = this.frame++;
    const cells = [
      bits(this.number, 4) + bits(this.number ^ 15, 4),
      bits(number, 8) + bits((number % 256) ^ 255, 8),
      this.claps ? "11110000" : "00001111",
    ].join("");
    const width = this.canvas.width / COLUMNS;
    const height = this.canvas.height / ROWS;
    Array.from(cells).forEach((cell, at) => {
      this.context.fillStyle = cell === "1" ? "#fff" : "#000";
      this.context.fillRect((at % COLUMNS) * width, Math.floor(at / COLUMNS) * height, width, height);
    });
    this.requester.requestFrame();
  }

  stop() {
    clearInterval(this.timer);
    this.track.stop();
  }
}

// What a remote track shows: one sighting for each change of its cells.
class Screening {
  constructor(track, everyMs) {
    this.sightings = [];
    this.total = 0; // sightings ever made
    this.cells = "";
    this.video = document.createElement("video");
    this.video.muted = true;
    this.video.srcObject = new MediaStream([track]);
    document.body.append(this.video);
    this.video.play().catch(() => {}); // an element that does not play shows nothing, which is noticed
    this.copy = document.createElement("canvas");
    this.copy.width = COLUMNS * SAMPLED_PX;
    this.copy.height = ROWS * SAMPLED_PX;
    this.context = this.copy.getContext("2d", { alpha: false, willReadFrequently: true });
    this.context.imageSmoothingEnabled = false;
    this.timer = setInterval(() => this.look(), everyMs);
  }

  look() {
    if (!this.video.videoWidth) return;
    this.context.drawImage(this.video, 0, 0, this.copy.width, this.copy.height);
    const { data } = this.context.getImageData(0, 0, this.copy.width, this.copy.height);
    let cells = "";
    for (let row = 0; row < ROWS; row++) {
      for (let column = 0; column < COLUMNS; column++) {
        const x = (column + 0.5) * SAMPLED_PX;
        const y = (row + 0.5) * SAMPLED_PX;
        const green = data[(y * this.copy.width + x) * 4 + 1]; // of a grey pixel each channel is its luma
        cells += green >= DARKEST_WHITE ? "1" : green <= BRIGHTEST_BLACK ? "0" : "?";
      }
    }
    if (cells === this.cells) return;
    this.cells = cells;
    this.sightings.push({ at: Date.now() / 1000, cells });
    this.total++;
    if (this.sightings.length > SIGHTINGS_KEPT) this.sightings.shift();
  }

  // Sightings from the given count on.
  since(count) {
    const from = Math.max(count, this.total - this.sightings.length);
    return { from, sightings: this.sightings.slice(this.sightings.length - (this.total - from)) };
  }
}
