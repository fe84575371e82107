//! What a hub keeps of attachments.

use semblance_core::id::Digest;

use super::three;
use crate::limits::{ATTACHMENT_BYTES_MAX, PIECE_BYTES};
use crate::office::OfficeError;
use crate::wire::{Piece, Refusal};

fn pieces(bytes: &[u8]) -> Vec<Piece> {
    let (digest, size) = (Digest::of(bytes), bytes.len() as u64);
    let piece = |(number, bytes): (usize, &[u8])| Piece { digest, size, number: number as u64, bytes: bytes.to_vec() };
    bytes.chunks(PIECE_BYTES).enumerate().map(piece).collect()
}

#[test]
fn a_piece_of_a_whole_attachment_is_not_read_again() {
    let (mut world, channel, [_, colleague, _]) = three(71);
    let (device, now) = (world.people[colleague].device, world.now);
    let office = &mut world.hospitals[1].office;
    let from = office.speaker(device, channel, now).unwrap().0;
    let pieces = pieces(&vec![5; PIECE_BYTES + 1]);
    assert!(!office.put_piece(channel, &from, &pieces[0], now).unwrap());
    assert!(office.put_piece(channel, &from, &pieces[1], now).unwrap());
    // If it were hashed again, it would be found to be another's and thrown away.
    office.connection().execute("UPDATE blob_pieces SET bytes = x'00'", []).unwrap();
    assert!(office.put_piece(channel, &from, &pieces[0], now).unwrap());
}

#[test]
fn an_attachment_is_not_larger_than_one_may_be() {
    let (mut world, channel, [_, colleague, _]) = three(105);
    let (device, now) = (world.people[colleague].device, world.now);
    let office = &mut world.hospitals[1].office;
    let from = office.speaker(device, channel, now).unwrap().0;
    let piece = |size| Piece { digest: Digest::of(b"large"), size, number: 0, bytes: vec![0; PIECE_BYTES] };
    // With what encryption and padding add.
    let largest = ATTACHMENT_BYTES_MAX + (4 << 20);
    let refused = office.put_piece(channel, &from, &piece(largest + 1), now);
    assert!(matches!(refused, Err(OfficeError::Refused(Refusal::TooLarge))), "{refused:?}");
    assert!(!office.put_piece(channel, &from, &piece(largest), now).unwrap(), "the first piece of many");
}

#[test]
fn so_many_attachments_and_so_much_of_one_member() {
    let (mut world, channel, [_, colleague, patient]) = three(72);
    let (one, other, now) = (world.people[colleague].device, world.people[patient].device, world.now);
    let office = &mut world.hospitals[1].office;
    let one = office.speaker(one, channel, now).unwrap().0;
    let other = office.speaker(other, channel, now).unwrap().0;
    let fill = "INSERT INTO blob_pieces (channel, digest, number, participant, bytes)
                SELECT channel, digest, number + 1, participant, zeroblob(200 << 20) FROM blob_pieces";
    assert!(office.put_piece(channel, &one, &pieces(b"small")[0], now).unwrap());
    office.connection().execute(fill, []).unwrap();
    let full = |result| matches!(result, Err(OfficeError::Refused(Refusal::Full)));
    assert!(full(office.put_piece(channel, &one, &pieces(b"another")[0], now)), "its share is used up");
    assert!(office.put_piece(channel, &other, &pieces(b"another")[0], now).unwrap(), "others have theirs");
    for number in 0..998_u32 {
        let sql = "INSERT INTO blobs (digest, channel, size, whole, at) VALUES (?1, ?2, 1, 0, 0)";
        let digest = Digest::of(&number.to_be_bytes());
        office.connection().execute(sql, rusqlite::params![digest.as_bytes(), channel.as_bytes()]).unwrap();
    }
    assert!(full(office.put_piece(channel, &other, &pieces(b"a third")[0], now)), "a thousand are enough");
}
