-- The rooms of the bus may be spread over partitions that count for themselves: a
-- position belongs to a room, and the archive has one for each partition. What was
-- there is partition 0.

ALTER TABLE messages DROP CONSTRAINT messages_pkey, ADD PRIMARY KEY (room, sequence);
ALTER TABLE gifts DROP CONSTRAINT gifts_pkey, ADD PRIMARY KEY (room, sequence);
DROP INDEX gifts_by_room;

-- Everything in the partition up to here is in the archive. It is a table of its
-- own because retention may delete the newest message of a quiet platform; its rows
-- are also what archivers wait in line for.
CREATE TABLE archive_positions (
    partition INTEGER PRIMARY KEY,
    sequence  BIGINT NOT NULL
);

INSERT INTO archive_positions (partition, sequence) SELECT 0, sequence FROM archive_position;
DROP TABLE archive_position;
