// Socket.IO on Node: what one says everyone hears.  NODE_MODULES=… node socketio.mjs PORT
import { createRequire } from "node:module";

const { Server } = createRequire(`${process.env.NODE_MODULES}/`)("socket.io");
const io = new Server({ transports: ["websocket"] });

io.on("connection", (socket) => {
  socket.on("say", (data) => io.emit("say", data));
  socket.on("echo", (data) => socket.emit("echo", data));
});
io.listen(Number(process.argv[2]));
