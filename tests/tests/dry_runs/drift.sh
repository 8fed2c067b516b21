# Makes a host that has converged differ in every kind, and most attributes, at once.
set -eu
echo stray >/etc/all/plain
chmod 0600 /etc/all/rendered
chown nobody /etc/all/as-it-is
rm /etc/all/fetched
ln -s plain /etc/all/former-file
echo gone >/etc/all/gone
chmod 0700 /etc/all/each/a
chmod 0700 /srv/tree/deep
echo stray >/srv/tree/stray
mkdir /srv/gone
ln -sfn nowhere /srv/current
ln -s tree /srv/former
printf 'word two\nold\n' >/etc/all/lines
printf 'OLD=1\n' >/etc/all/env
printf '{"word": 1}\n' >/etc/all/data.json
printf 'old = 1\n' >/etc/all/data.toml
sed -i s/SystemMaxUse=.*/SystemMaxUse=17M/ /etc/systemd/journald.conf
sed -i 's/preserve_hostname: .*/preserve_hostname: false/' /etc/cloud/cloud.cfg
systemctl stop tp@a.service own.socket
systemctl disable own.socket
systemctl unmask systemd-networkd
systemctl enable --now fstrim.timer
useradd former
usermod --shell /bin/bash --append --groups games keeper
echo another >>/home/keeper/.ssh/authorized_keys
rm /var/log/unless /srv/made
touch /var/log/there
echo 0 >/proc/sys/net/ipv4/ip_forward
rm /etc/sysctl.d/90-cfg-net.ipv4.tcp_rmem.conf
mount -o remount,exec /srv/memory
sed -i '\,/srv/shown,d' /etc/fstab
rm -r /opt/carried
mkdir /opt/former
echo 'sha256 of another one' >/opt/former/.cfg-archive
apt-mark unhold probe-daemon
apt-mark auto netcat-openbsd
apt-get install -y hello default-jre
echo asking asking/colour select red | debconf-set-selections
echo '# by hand' >>/etc/apt/sources.list.d/cfg-tests.sources
