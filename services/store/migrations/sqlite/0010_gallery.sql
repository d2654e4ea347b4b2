-- The gallery of a room reads its messages with a medium, the newest first, without a look at the others.
CREATE INDEX messages_with_media ON messages (room, sequence)
    WHERE instr(body, '"media":{"digest":"') > 0 AND recalled = 0;
